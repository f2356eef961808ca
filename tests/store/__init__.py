"""The store: engines, schema, policies, partitions, migrations."""
