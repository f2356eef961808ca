"""REST operations on notices before certificates expire."""

from __future__ import annotations

from tegata.protocols.rest.bodies import NoticeSettings
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation
from tegata.registration.notice import NoticeSetting
from tegata.tenancy.model import Action


async def get_notices(call: Call[NoBody]) -> Answer:
    """Who is told, and when."""
    return Answer(_body(await call.services.notices.get_setting(call.principal.scope)))


async def set_notices(call: Call[NoticeSettings]) -> Answer:
    """Change who is told, and when."""
    body = call.body
    setting = NoticeSetting(tuple(body.addresses), tuple(body.days), body.language)
    changed = await call.services.notices.set_setting(call.principal.scope, setting, call.digest)
    return Answer(_body(changed))


def _body(setting: NoticeSetting) -> NoticeSettings:
    return NoticeSettings(list(setting.addresses), list(setting.days), setting.language)


OPERATIONS = (
    Operation(
        "GET", "/v1/expiry-notices", "getExpiryNotices", "Who is told before expiry",
        Action.NOTICES_MANAGE, "registration:expiry-notice:get",
        NoBody, NoticeSettings, 200, get_notices,
    ),
    Operation(
        "PUT", "/v1/expiry-notices", "setExpiryNotices", "Change who is told before expiry",
        Action.NOTICES_MANAGE, "registration:expiry-notice:set",
        NoticeSettings, NoticeSettings, 200, set_notices,
    ),
)  # fmt: skip
