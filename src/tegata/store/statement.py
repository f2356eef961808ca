"""Statements: SQLAlchemy Core compiled once for each engine, run by the drivers directly.

Compiling costs more than running, so a statement is a module-level value. One that touches a
tenant's table must name the tenant in its SQL (row policies are the second lock, not the query
planner); `Statement` refuses to exist otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ClauseElement,
    ColumnClause,
    ColumnElement,
    LargeBinary,
    String,
    Table,
    bindparam,
    cast,
    literal_column,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import visitors

from tegata.kernel.ids import TenantId
from tegata.store.schema import SHARED_TABLES

Row = tuple[Any, ...]
Parameters = dict[str, Any]

# SQLite's dialect writes an OFFSET with every LIMIT; given, it is not a hidden constant.
NO_OFFSET: ColumnClause[int] = literal_column("0")

_SQLITE = sqlite.dialect(paramstyle="named")
_POSTGRES = postgresql.dialect(paramstyle="pyformat")  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement in both dialects. Its parameters are the names of its bind parameters.

    PostgreSQL plans a `planned_once` statement once for a connection, without looking at values:
    for what reads a range of one index, and would be planned over all partitions each time.
    """

    core: ClauseElement
    planned_once: bool = False
    sqlite: str = field(init=False)
    postgres: str = field(init=False)
    tenant_scoped: bool = field(init=False)

    def __post_init__(self) -> None:
        tables = {table.name for table in _tables(self.core)}
        scoped = bool(tables - SHARED_TABLES.keys())
        compiled = self.core.compile(dialect=_SQLITE)
        if scoped and "tenant" not in compiled.params:
            raise ValueError(f"a statement on {', '.join(sorted(tables))} must bind :tenant")
        constants = [name for name, value in compiled.params.items() if value is not None]
        if constants:
            # They would have to travel with the statement: write them as literal columns.
            raise ValueError(f"constants bound as {', '.join(constants)}")
        object.__setattr__(self, "tenant_scoped", scoped)
        object.__setattr__(self, "sqlite", str(compiled))
        object.__setattr__(self, "postgres", str(self.core.compile(dialect=_POSTGRES)))


def typed(
    *, texts: Sequence[str], octets: Sequence[str], numbers: Sequence[str]
) -> dict[str, ColumnElement[Any]]:
    """Parameters with their types, by name: PostgreSQL asks for them where rows are selected to
    be inserted."""
    kinds = (String(), texts), (LargeBinary(), octets), (BigInteger(), numbers)
    return {name: cast(bindparam(name), kind) for kind, names in kinds for name in names}


def bind_tenant(
    tenant: TenantId | None, statement: Statement, parameters: Parameters
) -> Parameters:
    """The parameters with the tenant; refuses a tenant's statement without one."""
    if not statement.tenant_scoped:
        return parameters
    if tenant is None:
        raise ValueError("a statement on a tenant's table needs a tenant")
    return {**parameters, "tenant": tenant}


def _tables(core: ClauseElement) -> list[Table]:
    return [element for element in visitors.iterate(core) if isinstance(element, Table)]


@lru_cache(maxsize=64)
def sqlite_insert(table: Table) -> str:
    """An INSERT of one row by position."""
    names = ", ".join(column.name for column in table.columns)
    places = ", ".join("?" for _ in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({places})"  # noqa: S608 (names of our own schema)


@lru_cache(maxsize=64)
def postgres_insert(table: Table) -> str:
    """An INSERT of many rows, one array for each column: one round trip whatever their number."""
    names = ", ".join(column.name for column in table.columns)
    kinds = (column.type.compile(_POSTGRES).split(" COLLATE")[0] for column in table.columns)
    arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 (as above)
