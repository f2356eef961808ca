"""The sections of the white paper: a file for each, found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from tegata.compliance.model import Control, Probe


def _control(module: str) -> Control:
    found = importlib.import_module(f"{__name__}.{module}").CONTROL
    if not isinstance(found, Control):
        raise TypeError(f"{module} has no CONTROL")
    return found


def _order(control: Control) -> tuple[int, str]:
    return (int(control.section), "") if control.section.isdigit() else (1000, control.section)


CONTROLS: tuple[Control, ...] = tuple(
    sorted((_control(module.name) for module in pkgutil.iter_modules(__path__)), key=_order)
)
BY_NAME: Mapping[str, Control] = {control.name: control for control in CONTROLS}
PROBES: Mapping[str, tuple[Control, Probe]] = {
    probe.name: (control, probe) for control in CONTROLS for probe in control.probes
}
