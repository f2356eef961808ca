"""REST operations on certificate profiles: what there is, and a tenant's own documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from tegata.issuance.serials import serial_text
from tegata.kernel.finding import Severity
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.wording import choose_language
from tegata.profiles.catalogue import CATALOGUE
from tegata.profiles.model import Profile
from tegata.profiles.vocabulary import ATTRIBUTE_NAMES, KEY_USAGE_NAMES, PURPOSE_NAMES
from tegata.protocols.rest.bodies import Reference, RequestBody
from tegata.protocols.rest.operation import Answer, Call, NoBody, Operation, Parameter
from tegata.protocols.rest.pages import PAGE_LIMIT, page_limit
from tegata.protocols.rest.problems import FindingBody, finding_body
from tegata.registration.model import ProfileVersion
from tegata.registration.profiles import SIMULATION_DEFAULT
from tegata.tenancy.model import Action


class ProfileDocument(RequestBody):
    """A profile's document, in TOML."""

    document: str


class ProfileRetirement(RequestBody):
    """Which version to retire; by default the newest."""

    version: int | None = None


class ProfileSimulation(RequestBody):
    """A document, and the certificates to hold against it: the `last` of the profile `of`, which
    is by default the one that the document names."""

    document: str
    of: Reference | None = None
    last: int = SIMULATION_DEFAULT


class ProfileBody(msgspec.Struct):
    """A certificate profile that can be asked for. `origin` is built-in or tenant; a period of no
    days has no end."""

    name: str
    version: int
    origin: str
    digest: str
    description: str
    validity_days: int
    key_algorithms: list[str]
    key_usage: list[str]
    extended_key_usage: list[str]
    purposes: list[str]
    subject_attributes: list[str]
    name_kinds: list[str]
    names_required: bool


class ProfileVersionBody(ProfileBody):
    """A version of a profile with its document. `state` is active or retired."""

    state: str
    created_at: str | None
    retired_at: str | None
    document: str


class ProfilePage(msgspec.Struct):
    """The certificate profiles: built-in ones first, then the tenant's own by name."""

    items: list[ProfileBody]
    next: str | None


class ProfileVersionItem(msgspec.Struct):
    """A version of a profile in a list."""

    name: str
    version: int
    digest: str
    state: str
    created_at: str | None
    retired_at: str | None


class ProfileVersionPage(msgspec.Struct):
    """The versions of a profile, newest first."""

    items: list[ProfileVersionItem]
    next: str | None


class RehearsedBody(msgspec.Struct):
    """A certificate that the document would have refused (an error) or changed (a warning)."""

    id: str
    serial: str
    subject: str
    findings: list[FindingBody]


class SimulationBody(msgspec.Struct):
    """What a document would have done: to how many certificates of the profile `of`, found among
    the `looked_at` newest of all."""

    profile: str
    digest: str
    of: str
    examined: int
    looked_at: int
    refused: int
    changed: int
    items: list[RehearsedBody]


async def list_profiles(call: Call[NoBody]) -> Answer:
    """The certificate profiles that can be asked for."""
    after, limit = call.query.get("after", ""), page_limit(call.query)
    language = choose_language(call.accept_language)
    found = await call.services.profiles.list(call.principal.scope, after, limit)
    items = [_body(profile, language) for _version, profile in found]
    if not after:
        items = [
            _body(each, choose_language(call.accept_language))
            for each in CATALOGUE.values()
            if each.public
        ] + items
    return Answer(ProfilePage(items, found[-1][0].name if len(found) == limit else None))


async def get_profile(call: Call[NoBody]) -> Answer:
    """A version of a profile, with its document."""
    found = await call.services.profiles.get(
        call.principal.scope, call.path["profile"], _number(call.query.get("version"))
    )
    return Answer(_version_body(*found, choose_language(call.accept_language)))


async def list_versions(call: Call[NoBody]) -> Answer:
    """The versions of a profile, retired ones too."""
    limit = page_limit(call.query)
    found = await call.services.profiles.versions(
        call.principal.scope, call.path["profile"], _number(call.query.get("after")), limit
    )
    items = [
        ProfileVersionItem(
            each.name,
            each.version,
            each.digest,
            _state(each),
            _text(each.created_at),
            _text(each.retired_at),
        )
        for each in found
    ]
    return Answer(
        ProfileVersionPage(items, str(found[-1].version) if len(found) == limit else None)
    )


async def put_profile(call: Call[ProfileDocument]) -> Answer:
    """A new version of a tenant's own profile."""
    name = call.path["profile"]
    found = await call.services.profiles.put(
        call.principal.scope, name, call.body.document, call.digest
    )
    return Answer(
        _version_body(*found, choose_language(call.accept_language)),
        f"/v1/profiles/{name}?version={found[0].version}",
    )


async def retire_profile(call: Call[ProfileRetirement]) -> Answer:
    """Retire a version of a tenant's own profile, for good."""
    await call.services.profiles.retire(
        call.principal.scope, call.path["profile"], call.body.version, call.digest
    )
    return Answer(None)


async def check_profile(call: Call[ProfileDocument]) -> Answer:
    """What a document would be as the next version; nothing is kept."""
    profile = await call.services.profiles.check(call.principal.scope, call.body.document)
    return Answer(_body(profile, choose_language(call.accept_language)))


async def simulate_profile(call: Call[ProfileSimulation]) -> Answer:
    """What a document would have refused among the last certificates."""
    call.principal.require(Action.CERTIFICATES_READ)
    simulation = await call.services.profiles.simulate(
        call.principal.scope,
        call.body.document,
        call.body.of,
        call.body.last,
        call.principal.sees_issuer,
    )
    language = choose_language(call.accept_language)
    items = [
        RehearsedBody(
            each.id,
            serial_text(each.serial),
            each.subject,
            [finding_body(finding, language) for finding in each.findings],
        )
        for each in simulation.rehearsed
    ]
    refused = sum(
        any(finding.severity == Severity.ERROR for finding in each.findings) for each in items
    )
    return Answer(
        SimulationBody(
            simulation.profile.name,
            simulation.profile.digest,
            simulation.of,
            simulation.examined,
            simulation.looked_at,
            refused,
            len(items) - refused,
            items,
        )
    )


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Problem(ProblemCode.REQUEST_MALFORMED, "a version is a number")
    return int(text)


def _state(version: ProfileVersion) -> str:
    return "active" if version.retired_at is None else "retired"


def _text(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _body(profile: Profile, language: str) -> ProfileBody:
    english, japanese = profile.description
    return ProfileBody(
        name=profile.name,
        version=profile.version,
        origin="built-in" if profile.built_in else "tenant",
        digest=profile.digest,
        description=(japanese if language == "ja" else english) or english or japanese,
        validity_days=profile.validity.days,
        key_algorithms=sorted(profile.key_kinds),
        key_usage=[KEY_USAGE_NAMES[usage] for usage in sorted(profile.key_usage)],
        extended_key_usage=list(profile.extended_key_usage),
        purposes=[PURPOSE_NAMES.get(each, each) for each in profile.extended_key_usage],
        subject_attributes=sorted(ATTRIBUTE_NAMES[each] for each in profile.subject_types),
        name_kinds=sorted(profile.name_kinds),
        names_required=profile.names_required,
    )


def _version_body(version: ProfileVersion, profile: Profile, language: str) -> ProfileVersionBody:
    return ProfileVersionBody(
        **msgspec.structs.asdict(_body(profile, language)),
        state=_state(version),
        created_at=_text(version.created_at),
        retired_at=_text(version.retired_at),
        document=version.document,
    )


_PROFILE = "/v1/profiles/{profile}"
_NUMBER: Mapping[str, str | int] = {"type": "string", "pattern": "^[0-9]{1,9}$"}
_NAME: Mapping[str, str | int] = {"type": "string", "maxLength": 64}
_NAMES = (PAGE_LIMIT, Parameter("after", "the `next` of the page before", _NAME))
_NUMBERS = (PAGE_LIMIT, Parameter("after", "the `next` of the page before", _NUMBER))

OPERATIONS = (
    Operation(
        "GET", "/v1/profiles", "listProfiles", "List certificate profiles",
        Action.PROFILES_READ, "registration:profile:list", NoBody, ProfilePage, 200,
        list_profiles, _NAMES,
    ),
    Operation(
        "GET", _PROFILE, "getProfile", "Get a certificate profile and its document",
        Action.PROFILES_READ, "registration:profile:get", NoBody, ProfileVersionBody, 200,
        get_profile, (Parameter("version", "by default the newest that is not retired", _NUMBER),),
    ),
    Operation(
        "GET", _PROFILE + "/versions", "listProfileVersions", "List the versions of a profile",
        Action.PROFILES_READ, "registration:profile:list-versions", NoBody, ProfileVersionPage,
        200, list_versions, _NUMBERS,
    ),
    Operation(
        "PUT", _PROFILE, "putProfile", "Put a new version of a profile of one's own",
        Action.PROFILES_MANAGE, "registration:profile:put", ProfileDocument, ProfileVersionBody,
        201, put_profile,
    ),
    Operation(
        "POST", _PROFILE + "/retire", "retireProfile", "Retire a version of a profile",
        Action.PROFILES_MANAGE, "registration:profile:retire", ProfileRetirement, None, 204,
        retire_profile,
    ),
    Operation(
        "POST", "/v1/profile-checks", "checkProfile", "Check a profile's document",
        Action.PROFILES_READ, "registration:profile:check", ProfileDocument, ProfileBody, 200,
        check_profile,
    ),
    Operation(
        "POST", "/v1/profile-simulations", "simulateProfile",
        "Hold a profile's document against the last certificates", Action.PROFILES_MANAGE,
        "registration:profile:simulate", ProfileSimulation, SimulationBody, 200,
        simulate_profile,
    ),
)  # fmt: skip
