"""The one table of what is served without TLS, and why.

Everything here is signed, so an attacker on the path can withhold it but not change it, and a
client that checks a certificate must be able to fetch it without checking another one first.
Code refuses any other route on the plain listener; documents print this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlainRoute:
    """A path prefix that is served in plain HTTP, and the clause that needs it."""

    prefix: str
    serves: str
    cites: str


PLAIN_ROUTES = (
    PlainRoute("/ocsp", "OCSP", "RFC 6960 appendix A.1; RFC 9919 section 5"),
    PlainRoute("/crl/", "certificate revocation lists", "RFC 5280 sections 4.2.1.13 and 8"),
    PlainRoute(
        "/repository/",
        "repositories: certificates, CRLs, policies",
        "RFC 3647 section 4.2; RFC 5280 section 4.2.1.4 (CPS pointer)",
    ),
    PlainRoute("/tsp/", "time-stamps", "RFC 3161 section 3.4"),
    PlainRoute("/log/", "the Merkle log: checkpoint, tiles, entries", "C2SP tlog-tiles"),
    PlainRoute("/ca/", "certificates of CAs", "RFC 5280 sections 4.2.2.1 and 8"),
)


def plain_route(path: str) -> PlainRoute | None:
    """The entry that allows a path, if there is one."""
    return next((route for route in PLAIN_ROUTES if path.startswith(route.prefix)), None)
