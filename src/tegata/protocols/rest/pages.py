"""Pages of what is listed: how much, from where, and where the next one begins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from tegata.kernel.problem import Problem, ProblemCode
from tegata.protocols.rest.operation import Parameter
from tegata.registration.model import PAGE_DEFAULT, PAGE_MAXIMUM

PAGE_LIMIT = Parameter(
    "limit",
    "items on a page",
    {"type": "integer", "minimum": 1, "maximum": PAGE_MAXIMUM, "default": PAGE_DEFAULT},
)
# The platform's own tenants have names in place of characters.
_CHARACTERS = "[0-9a-z]{1,26}"


class Identified(Protocol):
    """An item that pages are ordered by the id of."""

    id: str


Item = TypeVar("Item", bound=Identified)


def page_limit(given: Mapping[str, str]) -> int:
    """The page size asked for, within bounds."""
    text = given.get("limit", str(PAGE_DEFAULT))
    # Few digits before it is read as a number: leading zeros must not hide more of them.
    if not (re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= PAGE_MAXIMUM):
        raise Problem(ProblemCode.REQUEST_MALFORMED, f"limit is 1 to {PAGE_MAXIMUM}")
    return int(text)


def after_parameter(prefix: str) -> Parameter:
    """The parameter `after` of a list that is ordered by ids with a prefix."""
    pattern = f"^{prefix}_{_CHARACTERS}$"
    return Parameter(
        "after", "the `next` of the page before", {"type": "string", "pattern": pattern}
    )


def after_id(given: Mapping[str, str], prefix: str) -> str:
    """The id after which a page begins; none is before all."""
    text = given.get("after")
    if text is not None and not re.fullmatch(f"{prefix}_{_CHARACTERS}", text):
        raise Problem(ProblemCode.REQUEST_MALFORMED, "after is the `next` of the page before")
    return text or ""


def page(found: Sequence[Item], limit: int) -> tuple[list[Item], str | None]:
    """The items of a page, and the `after` of the next one: `found` has one more than fits when
    there is one."""
    items = list(found[:limit])
    return items, items[-1].id if len(found) > limit else None
