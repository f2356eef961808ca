"""A certificate whose key the platform makes, over REST."""

from __future__ import annotations

import base64
import ipaddress

from tegata.kernel.ids import IssuerId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.pkix.names import GeneralName, GeneralNameKind
from tegata.profiles.vocabulary import ATTRIBUTES
from tegata.protocols.rest.bodies import NewCertificate, RequestedName, certificate_body
from tegata.protocols.rest.operation import Answer, Call
from tegata.registration.server_keys import ServerKeyOrder
from tegata.revocation.model import CertificateStatus, Status

_KINDS = ("dns", "ip", "email", "uri")


async def issue_with_server_key(call: Call[NewCertificate]) -> Answer:
    """A certificate, and once its key and path as PKCS #12."""
    body = call.body
    if body.key is None:
        raise Problem(ProblemCode.REQUEST_MALFORMED, "give csr, or key")
    if call.idempotency_key is not None:
        # A retry could not be answered with a key that nobody keeps.
        raise Problem(ProblemCode.REQUEST_MALFORMED, "no Idempotency-Key goes with key")
    order = ServerKeyOrder(
        IssuerId(body.issuer),
        body.profile,
        body.key.algorithm,
        body.key.password,
        [(_attribute_type(each.type), each.value) for each in body.subject],
        [_name(each) for each in body.names],
    )
    issued, issuer, file = await call.services.server_keys.issue(
        call.principal.scope, order, call.digest
    )
    answer = certificate_body(issued, issuer, CertificateStatus(Status.GOOD))
    answer.pkcs12 = base64.b64encode(file).decode()
    return Answer(answer, f"/v1/certificates/{issued.id}")


def _attribute_type(name: str) -> str:
    found = ATTRIBUTES.get(name)
    if found is None:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, f"attributes are {', '.join(ATTRIBUTES)}")
    return found


def _name(asked: RequestedName) -> GeneralName:
    if asked.kind not in _KINDS:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, f"kinds are {', '.join(_KINDS)}")
    kind = GeneralNameKind(asked.kind)
    if kind is not GeneralNameKind.IP:
        return GeneralName(kind, asked.value)
    try:
        return GeneralName(kind, str(ipaddress.ip_address(asked.value)))
    except ValueError as error:
        raise Problem(ProblemCode.CSR_NAME_REFUSED, "not an IP address") from error
