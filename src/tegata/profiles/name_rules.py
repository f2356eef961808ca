"""What a profile says of its alternative names beyond their kind: how many, wildcards, where."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from tegata.kernel.finding import Finding
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.profiles.host_names import host_of
from tegata.profiles.model import NameRule, Profile, error

_CITES = "RFC 5280 section 4.2.1.6"


def broken_name_rule(names: Sequence[GeneralName], profile: Profile) -> Finding | None:
    """The first of the profile's rules that the names break."""
    for rule in profile.name_rules:
        finding = _broken(rule, [name for name in names if name.kind is rule.kind], profile)
        if finding is not None:
            return finding
    return None


def _broken(rule: NameRule, names: Sequence[GeneralName], profile: Profile) -> Finding | None:
    if not rule.minimum <= len(names) <= rule.maximum:
        return error(
            "subject-alternative-name.kind-count",
            _CITES,
            f"{profile.name} certifies {rule.minimum} to {rule.maximum} {rule.kind} names",
        )
    for name in names:
        if name.kind is GeneralNameKind.DNS and not rule.wildcard and name.value.startswith("*."):
            return error(
                "subject-alternative-name.wildcard",
                "RFC 9525 section 6.3",
                f"{profile.name} certifies no wildcards",
            )
        if rule.within and not any(is_within(name, base) for base in rule.within):
            return error(
                "subject-alternative-name.not-within",
                _CITES,
                f"{profile.name} certifies {rule.kind} names within {', '.join(rule.within)} only",
            )
    return None


def is_within(name: GeneralName, base: str) -> bool:
    """Whether a name's host is `base` or below it; an address, whether it is in that network."""
    if name.kind is GeneralNameKind.IP:
        network = ipaddress.ip_network(base)
        address = ipaddress.ip_address(name.value)
        return address.version == network.version and address in network
    if name.kind is GeneralNameKind.HARDWARE_MODULE:
        return name.value.partition(":")[0] == base
    host = host_of(name)
    return host == base or host.endswith("." + base)
