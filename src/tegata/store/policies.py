"""The second lock on tenants' data (PostgreSQL): an application role that owns nothing, and row
policies forced on everybody who is not a superuser.

The first lock is the statement, which names the tenant (`store.statement`). Nothing is ever
granted on a partition: policies bind to the table that a query names, and a partition has none.
"""

from __future__ import annotations

from sqlalchemy import Table

from tegata.kernel.scope import PLATFORM_TENANT
from tegata.store.schema import SHARED_TABLES, TENANT_COLUMN, metadata

APP_ROLE = "tegata_app"
# Set for each transaction; a transaction without it sees no tenant's rows.
TENANT_SETTING = "tegata.tenant"
SET_TENANT = f"SELECT set_config('{TENANT_SETTING}', %s, true)"
SET_TENANT_AND_GENERIC_PLANS = (
    f"{SET_TENANT}, set_config('plan_cache_mode', 'force_generic_plan', true)"
)

_CURRENT = f"current_setting('{TENANT_SETTING}', true)"
_CHANGE = "SELECT, INSERT, UPDATE, DELETE"
# What is never updated cannot be: a certificate's row, and the record of what was done.
_GRANTS = {
    "certificate": "SELECT, INSERT, DELETE",
    "certificate_name": "SELECT, INSERT, DELETE",
    "certificate_der": "SELECT, INSERT, DELETE",
    "audit_event": "SELECT, INSERT",
    # A place in the log is for ever; so is what stands there.
    "log_leaf": "SELECT, INSERT",
    "log_salt": "SELECT, INSERT",
    "log_tile": "SELECT, INSERT, UPDATE",
    "log_head": "SELECT, INSERT, UPDATE",
    "log_queue": "SELECT, INSERT, DELETE",
    "log_mark": "SELECT, INSERT, UPDATE",
    "status_change": "SELECT, INSERT, DELETE",
    "issuance_stop": "SELECT, INSERT, DELETE",
    "timestamp_unit": "SELECT, INSERT",
    "timestamp_block": "SELECT, INSERT",
    "anchored_checkpoint": "SELECT, INSERT",
    "log_anchor": "SELECT, INSERT",
    # What a version of a policy said stays as it was.
    "issuer_policy": "SELECT, INSERT",
    # A version of a profile is retired, which nothing else of it can be.
    "profile": "SELECT, INSERT, UPDATE (retired_at), DELETE",
}


def policy_statements() -> list[str]:
    """Role, grants and policies for every table of the schema. They may be run again, in the
    transaction of each migration; not at each start, because they lock the tables."""
    statements = [_CREATE_ROLE, _GRANT_ROLE, f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}"]
    for table in metadata.sorted_tables:
        statements += [
            f"REVOKE ALL ON {table.name} FROM PUBLIC, {APP_ROLE}",
            f"GRANT {_GRANTS.get(table.name, _CHANGE)} ON {table.name} TO {APP_ROLE}",
            *_policies(table),
        ]
    return statements


def _policies(table: Table) -> list[str]:
    name = table.name
    column = f"{name}.{TENANT_COLUMN.get(name, 'tenant')}"
    own = f"{column} = {_CURRENT}"
    platform = f"{_CURRENT} = '{PLATFORM_TENANT}'"
    if name in {"log_queue", "log_mark"}:
        # The sequencer puts every tenant's commitments into one log.
        own = f"{own} OR {platform}"
    if name == "tenant":
        # The operator opens, suspends and lists tenants; it sees nothing else of theirs.
        own = f"{own} OR {platform}"
    policies = {f"{name}_tenant": f"USING ({own}) WITH CHECK ({own})"}
    if name in ("issuer_directory", "timestamp_directory"):
        policies = {
            f"{name}_read": "FOR SELECT USING (true)",
            f"{name}_insert": f"FOR INSERT WITH CHECK ({own})",
            f"{name}_update": f"FOR UPDATE USING ({own}) WITH CHECK ({own})",
            f"{name}_delete": f"FOR DELETE USING ({own})",
        }
    elif name == "issuance_stop":
        policies = {
            f"{name}_read": "FOR SELECT USING (true)",
            f"{name}_insert": f"FOR INSERT WITH CHECK ({own})",
            f"{name}_delete": f"FOR DELETE USING ({own})",
        }
    elif name == "log_leaf":
        policies = {
            f"{name}_read": f"FOR SELECT USING ({own})",
            f"{name}_insert": f"FOR INSERT WITH CHECK ({platform})",
        }
    elif name == "status_change":
        policies = {
            f"{name}_read": "FOR SELECT USING (true)",
            f"{name}_insert": f"FOR INSERT WITH CHECK ({own})",
            # Nobody takes back what another node has not seen yet.
            f"{name}_delete": "FOR DELETE USING "
            f"({name}.changed_at < (extract(epoch FROM now()) - 3600) * 1000)",
        }
    elif name in SHARED_TABLES:
        return []
    statements = [
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
    ]
    for policy, rule in policies.items():
        statements += [
            f"DROP POLICY IF EXISTS {policy} ON {name}",
            f"CREATE POLICY {policy} ON {name} {rule}",
        ]
    return statements


# Roles belong to the cluster, so another database's migration may make it at the same moment.
_CREATE_ROLE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
        CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$
"""

_GRANT_ROLE = f"""
DO $$ BEGIN
    IF NOT pg_has_role(current_user, '{APP_ROLE}', 'MEMBER') THEN
        GRANT {APP_ROLE} TO CURRENT_USER;
    END IF;
END $$
"""
