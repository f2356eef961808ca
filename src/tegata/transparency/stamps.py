"""Time-stamps of a log's checkpoints (docs/reference/anchors.md), as somebody who doubts them
verifies them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from tegata.pkix import oids
from tegata.pkix.der import DerError
from tegata.pkix.tsp import (
    TimeStampRequest,
    message_imprint,
    parse_time_stamp_response,
    parse_tst_info,
)
from tegata.pkix.tsp_token import parse_token
from tegata.pkix.tsp_verify import TokenFault, TokenInvalid, verify_response
from tegata.transparency.examination import Tampered


def verify_stamp(
    octets: bytes, text: str, authorities: Sequence[bytes], place: str
) -> datetime | None:
    """The time at which a checkpoint's text was there, by a TimeStampResp over it.

    `authorities` are certificates in DER; None when the token leads to none of them. `Tampered`
    when it is of something else, or not signed.
    """
    try:
        token = parse_time_stamp_response(octets).token
        nonce = parse_tst_info(parse_token(token).info).nonce if token is not None else None
        imprint = message_imprint(oids.SHA256, hashlib.sha256(text.encode()).digest())
        # Whoever asked for it compared the nonce; it says nothing later.
        return verify_response(
            octets, TimeStampRequest(1, imprint, nonce=nonce), authorities
        ).info.gen_time
    except TokenInvalid as error:
        if error.fault is TokenFault.CERTIFICATE:
            return None
        raise Tampered("stamp.invalid", f"{place}: {error}") from error
    except (DerError, IndexError) as error:
        raise Tampered("stamp.invalid", f"{place}: {error}") from error
