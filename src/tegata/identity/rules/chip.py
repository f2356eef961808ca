"""The clone check: the chip that answered is the one that the card's issuer certified.

What authenticates the card's text (EF 0003) holds the digest of the file with the My Number, from
which the number is found by trying all. So the text is authenticated where the card is, and only
EF 0004 (who certified), EF 0007 (the chip's key) and a signature just made come here (ADR 24).
"""

from __future__ import annotations

from tegata.identity.model import ChipData, Session
from tegata.identity.reasons import Reason
from tegata.identity.rules.trust import Trust
from tegata.pkix.card_text import (
    CardDataForged,
    CardDataInvalid,
    CardIssuerUnknown,
    trusted_signer,
    verify_chip,
    verify_chip_key,
)
from tegata.pkix.intent import chip_octets


def chip_fault(chip: ChipData, session: Session, trust: Trust) -> Reason | None:
    """Why a chip is not the original's; it signs what is bound to the session's challenge."""
    try:
        signer = trusted_signer(chip.certificate, trust.face_keys)
        key = verify_chip_key(chip.chip_key, signer)
        verify_chip(key, chip_octets(session.id, session.challenge), chip.chip_signature)
    except CardIssuerUnknown:
        return Reason.CHIP_KEY_UNKNOWN
    except CardDataInvalid:
        return Reason.CHIP_MALFORMED
    except CardDataForged:
        return Reason.CHIP_CLONED
    return None
