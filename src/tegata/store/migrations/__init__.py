"""Migrations: what brings a database of an earlier release to this one's schema.

Each file of `versions` says `phase` (expand, migrate or contract: one release apart, so that two
releases can run side by side), `lock` (the strongest lock it takes on PostgreSQL) and
`reversible`. Its `upgrade` is given Alembic's operations and imports nothing of ours: the schema
it makes is that of its own day.
"""
