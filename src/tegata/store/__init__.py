"""SQLite and PostgreSQL: schema, migrations, one file per room, row policies, data inventory."""
