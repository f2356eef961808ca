"""CMS (RFC 5652), as far as certificates travel in it."""

from __future__ import annotations

from collections.abc import Sequence

from tegata.pkix import oids
from tegata.pkix.der import (
    encode_integer,
    encode_oid,
    encode_sequence,
    encode_set_of,
    explicit,
    implicit,
)

# RFC 5652 section 5.1: version 1, as there are only X.509 certificates and no signers.
_VERSION = 1
_CERTIFICATES = 0


def encode_certificates_only(certificates: Sequence[bytes]) -> bytes:
    """A SignedData that signs nothing and carries certificates (RFC 8551 section 3.2.2,
    certs-only). DER sorts a SET OF, so their order does not tell who certifies whom."""
    content = encode_sequence(encode_oid(oids.CMS_DATA))
    signed_data = encode_sequence(
        encode_integer(_VERSION),
        encode_set_of(()),
        content,
        implicit(_CERTIFICATES, b"".join(sorted(certificates)), constructed=True),
        encode_set_of(()),
    )
    return encode_sequence(encode_oid(oids.CMS_SIGNED_DATA), explicit(0, signed_data))
