"""Proofs of evidence: a record stands in an event, and the event in the transparency log."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tegata.compliance.model import Record
from tegata.compliance.paper import is_public
from tegata.compliance.ports import EventFinder
from tegata.compliance.records import encode_record
from tegata.compliance.service import compliance_scope
from tegata.kernel.event import base64url
from tegata.kernel.problem import Problem
from tegata.tenancy.ports import RecordedEvent
from tegata.transparency.service import LogService

_LOG = logging.getLogger(__name__)
_KEPT = 256


@dataclass(frozen=True, slots=True)
class Proof:
    """What a stranger verifies a record with: its own octets (None where they are not public),
    the event whose `request` is their SHA-256 (as `GET /v1/events` gives it), and the proof that
    the event is in the log."""

    record: bytes | None
    event: bytes
    tlog_proof: bytes


@dataclass(frozen=True, slots=True)
class ProofService:
    """Proves records that a paper cites. One that has no proof yet has none: nothing is printed."""

    events: EventFinder
    log: LogService
    _found: OrderedDict[str, RecordedEvent] = field(default_factory=OrderedDict)

    async def prove(self, records: Iterable[Record]) -> Mapping[str, Proof]:
        """Proofs by the records' ids, of those that the newest checkpoint covers."""
        proofs = {}
        for record in records:
            try:
                proof = await self._prove(record)
            except Problem as problem:
                _LOG.info("%s has no proof now: %s", record.id, problem.code)
                continue
            if proof is not None:
                proofs[record.id] = proof
        return proofs

    async def _prove(self, record: Record) -> Proof | None:
        octets = encode_record(record)
        event = await self._event(record.id, hashlib.sha256(octets).hexdigest())
        if event is None or event.salt is None:
            return None
        proof = await self.log.proof(compliance_scope(), event.sequence)
        told = {
            "sequence": event.sequence,
            "canonical": event.canonical.decode(),
            "digest": event.digest.hex(),
            "disclosures": list(event.disclosures),
            "salt": base64url(event.salt),
            "index": proof.index,
        }
        public = octets if is_public(record) else None
        return Proof(public, json.dumps(told).encode(), proof.encode().encode())

    async def _event(self, identifier: str, digest: str) -> RecordedEvent | None:
        known = self._found.get(identifier)
        if known is None:
            known = await self.events.find_event(compliance_scope(), digest)
            if known is not None:
                self._found[identifier] = known
                if len(self._found) > _KEPT:
                    self._found.popitem(last=False)
        return known
