"""Refused keys and moduli, on each engine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, TenantScope, platform_acts
from tegata.kernel.signing import DataKeyKind, RefusalGround
from tegata.store import refused_keys
from tegata.store.database import Database
from tegata.store.refused_keys import FRESH, RefusedKeyReads, RefusedKeyWrites
from tests.fakes.system import PlainSealer, SeededRandomness, SteppingClock

ONE, TWO = (platform_acts(TenantId(f"ten_{name}"), "test") for name in ("one", "two"))
OPERATOR = platform_acts(PLATFORM_TENANT, "test")
SPLIT = timedelta(milliseconds=1)
