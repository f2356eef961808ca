"""nameConstraints read and applied (RFC 5280 section 4.2.1.10)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from tegata.pkix.der import SEQUENCE, DerError, content_of, split
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.pkix.policy_extensions import NameConstraints

_PERMITTED, _EXCLUDED = 0xA0, 0xA1
_KINDS = {
    0x81: GeneralNameKind.EMAIL,
    0x82: GeneralNameKind.DNS,
    0x86: GeneralNameKind.URI,
    0x87: GeneralNameKind.IP,
}
_HOST = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.|$(?!\n)))+")
# The kinds of names that constraints can be about.
CONSTRAINED = frozenset(_KINDS.values())


def parse_name_constraints(value: bytes) -> NameConstraints:
    """nameConstraints from its value; `DerError` for what is none, and for kinds of names that
    the platform does not constrain: who cannot apply a constraint must not go on."""
    found: dict[int, tuple[GeneralName, ...]] = {}
    for tag, content in split(content_of(value, SEQUENCE)):
        if tag not in (_PERMITTED, _EXCLUDED) or tag in found:
            raise DerError("not a NameConstraints")
        found[tag] = tuple(_base(*subtree) for subtree in split(content))
    if not any(found.values()):
        raise DerError("an empty NameConstraints (RFC 5280 section 4.2.1.10)")
    return NameConstraints(found.get(_PERMITTED, ()), found.get(_EXCLUDED, ()))


def _base(tag: int, content: bytes) -> GeneralName:
    parts = split(content)
    # minimum is zero, and maximum absent (RFC 5280 section 4.2.1.10).
    if tag != SEQUENCE or len(parts) != 1:
        raise DerError("a GeneralSubtree has a base and nothing else")
    kind = _KINDS.get(parts[0][0])
    octets = parts[0][1]
    if kind is None:
        raise DerError("a constraint on a kind of names that is not known here")
    if kind is not GeneralNameKind.IP:
        try:
            return GeneralName(kind, octets.decode("ascii"))
        except UnicodeDecodeError as error:
            raise DerError("a base that is not IA5String") from error
    if len(octets) not in (8, 32):
        raise DerError("a network is 8 or 32 octets")
    half = len(octets) // 2
    address = ipaddress.ip_address(octets[:half])
    bits = int.from_bytes(octets[half:], "big")
    size = half * 8
    prefix = bits.bit_count()
    if bits != ((1 << prefix) - 1) << (size - prefix):
        raise DerError("a mask with holes")
    try:
        return GeneralName(kind, str(ipaddress.ip_network((address, prefix))))
    except ValueError as error:
        raise DerError("an address with bits outside its mask") from error


def constraint_base(kind: str, value: str) -> GeneralName:
    """A base as people write it; ValueError for what is none.

    A network is an address with its prefix length. A leading period means all hosts below, and
    none of it (RFC 5280 section 4.2.1.10); a mailbox or a host is as it stands.
    """
    known = {each.value: each for each in CONSTRAINED}.get(kind)
    if known is None:
        raise ValueError("a base is dns:, email:, ip: or uri: and what follows")
    if known is GeneralNameKind.IP:
        return GeneralName(known, str(ipaddress.ip_network(value)))
    host = value.rpartition("@")[2].removeprefix(".")
    if known is GeneralNameKind.DNS and value.startswith("."):
        raise ValueError("a host name's base has no leading period")
    if _HOST.fullmatch(host) is None or len(value) > 253 or not value.isascii():
        raise ValueError("not a host or domain")
    return GeneralName(known, value)


def escapes(names: Sequence[GeneralName], constraints: NameConstraints) -> GeneralName | None:
    """The first name that constraints do not allow, if there is one."""
    for name in names:
        bases = [each for each in constraints.permitted if each.kind is name.kind]
        if bases and not any(lies_within(name, base) for base in bases):
            return name
        excluded = (each for each in constraints.excluded if each.kind is name.kind)
        if any(lies_within(name, base) or _reaches(name, base) for base in excluded):
            return name
    return None


def widens(own: NameConstraints, above: NameConstraints) -> GeneralName | None:
    """The first permitted base that lies in none of those permitted above."""
    for base in own.permitted:
        bases = [each for each in above.permitted if each.kind is base.kind]
        if bases and not any(_base_within(base, each) for each in bases):
            return base
    return None


def lies_within(name: GeneralName, base: GeneralName) -> bool:
    """Whether a name lies in the subtree of a base of the same kind."""
    value, root = name.value.lower(), base.value.lower()
    match name.kind:
        case GeneralNameKind.DNS:
            return _host_below(value.removeprefix("*."), root.removeprefix("."))
        case GeneralNameKind.IP:
            address, network = ipaddress.ip_address(name.value), ipaddress.ip_network(base.value)
            return address.version == network.version and address in network
        case GeneralNameKind.EMAIL if "@" in root:
            # The local part is as it is written; the host is not.
            local, _, host = name.value.rpartition("@")
            wanted, _, host_wanted = base.value.rpartition("@")
            return (local, host.lower()) == (wanted, host_wanted.lower())
        case GeneralNameKind.EMAIL:
            return _host_of_kind(value.rpartition("@")[2], root)
        case GeneralNameKind.URI:
            return _host_of_kind(_uri_host(value), root)
        case _:
            return False


def _reaches(name: GeneralName, base: GeneralName) -> bool:
    """Whether a wildcard stands for names in an excluded subtree below it."""
    value, root = name.value.lower(), base.value.lower().removeprefix(".")
    return (
        name.kind is GeneralNameKind.DNS
        and value.startswith("*.")
        and _host_below(root, value.removeprefix("*."))
    )


def _base_within(base: GeneralName, above: GeneralName) -> bool:
    if base.kind is GeneralNameKind.IP:
        inner, outer = ipaddress.ip_network(base.value), ipaddress.ip_network(above.value)
        if isinstance(inner, ipaddress.IPv4Network):
            return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
        return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)
    if base.kind is GeneralNameKind.DNS or "@" in base.value:
        return lies_within(base, above)
    inner_host, outer_host = base.value.lower(), above.value.lower()
    if inner_host == outer_host:
        return True
    # A base with a dot in front is all hosts below it; one without is that host alone.
    return outer_host.startswith(".") and inner_host.endswith(outer_host)


def _host_below(host: str, root: str) -> bool:
    return not root or host == root or host.endswith("." + root)


def _host_of_kind(host: str, root: str) -> bool:
    return host.endswith(root) if root.startswith(".") else host == root


def _uri_host(uri: str) -> str:
    authority = uri.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]
    return authority.rpartition("@")[2].partition(":")[0]
