"""Use cases on what stands: the paper, one promise, and having a promise looked at now."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from tegata.compliance.paper import Paper, Section, write_paper
from tegata.compliance.ports import Evidence
from tegata.compliance.service import EvidenceService, find_control
from tegata.kernel.event import AuditEvent, Decision
from tegata.kernel.ports import Clock
from tegata.kernel.problem import Problem
from tegata.kernel.scope import TenantScope

_LOG = logging.getLogger(__name__)
# Has a local probe and its canary run at an instant or earlier.
Want = Callable[[str, datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PaperService:
    """Reads evidence for people; what cannot be read supports nothing."""

    evidence: EvidenceService
    clock: Clock
    want: Want

    async def paper(self, language: str) -> Paper:
        """The paper now."""
        found: Evidence | None = None
        try:
            found = await self.evidence.evidence()
        except Problem as problem:
            _LOG.warning("the paper has no evidence: %s", problem)
        return write_paper(found, language, self.clock.now())

    async def section(self, name: str, language: str) -> Section:
        """One promise, by its name or number; `Problem(control.unknown)`."""
        control = find_control(name)
        paper = await self.paper(language)
        return next(each for each in paper.sections if each.control is control)

    async def run(self, scope: TenantScope, name: str, digest: bytes) -> None:
        """Have a promise's local probes look, and their faults planted, as soon as may be. What
        the monitor looks at has its own time."""
        control, now = find_control(name), self.clock.now()
        async with self.evidence.store.open_unit(scope) as unit:
            unit.audit(
                AuditEvent(
                    actor=scope.actor,
                    action="compliance:control:run",
                    decision=Decision.ALLOWED,
                    subject=f"control:{control.name}",
                    request_digest=digest,
                )
            )
            await unit.commit()
        for probe in control.probes:
            await self.want(probe.name, now)
