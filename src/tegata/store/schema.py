"""The schema, once for both engines (laid out for ten million certificates, ADR 3).

All instants are Unix time in milliseconds. Serial numbers are 20 octets, big-endian. `epoch`
is the expiry month of `kernel.month`, which stands in every serial number and certificate id,
so that status finds its partition from the serial alone and retention drops whole partitions.
Text compares by octets (collation "C"), because prefix search is a range of octets.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from tegata.pkix.crl import RevocationReason

metadata = MetaData()


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    octets = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, octets, nullable=nullable)


def _octets(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, autoincrement=False)


def _epoch() -> Column[int]:
    return Column("epoch", Integer, nullable=False, autoincrement=False)


def _shard() -> Column[int]:
    return Column("shard", Integer, nullable=False, autoincrement=False)


tenant = Table(
    "tenant",
    metadata,
    _text("id"),
    _text("name"),
    _text("state"),
    _number("created_at"),
    PrimaryKeyConstraint("id"),
)

data_key = Table(
    "data_key",
    metadata,
    _text("tenant"),
    _text("kind"),
    _octets("wrapped"),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "kind"),
)

token = Table(
    "token",
    metadata,
    _text("tenant"),
    _text("id"),
    _text("name"),
    _text("kind"),
    _octets("secret_hash"),
    _text("issuers", nullable=True),
    _text("actions"),
    _number("created_at"),
    _number("revoked_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
)

signing_key = Table(
    "signing_key",
    metadata,
    _text("tenant"),
    _text("id"),
    _text("purpose"),
    _text("algorithm"),
    _text("signature_algorithm"),
    _octets("public_key"),
    _octets("sealed"),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "id"),
)

issuer = Table(
    "issuer",
    metadata,
    _text("tenant"),
    _text("id"),
    _text("name"),
    _text("parent", nullable=True),
    _text("signing_key"),
    _octets("certificate"),
    _octets("bounds", nullable=True),
    _text("predecessor", nullable=True),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "id"),
)

# CAs that wait for a certificate from elsewhere.
pending_issuer = Table(
    "pending_issuer",
    metadata,
    _text("tenant"),
    _text("id"),
    _text("name"),
    _text("signing_key"),
    _octets("subject"),
    _octets("request"),
    _octets("bounds", nullable=True),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "id"),
)

# Certificates beside an issuer's own: of CAs elsewhere above it, and between its generations.
issuer_certificate = Table(
    "issuer_certificate",
    metadata,
    _text("tenant"),
    _text("issuer"),
    _text("kind"),
    Column("place", Integer, nullable=False, autoincrement=False),
    _octets("certificate"),
    PrimaryKeyConstraint("tenant", "issuer", "kind", "place"),
)

# Who issues nothing: an issuer, a whole tenant, or (both empty) anybody. `tenant` has set it.
issuance_stop = Table(
    "issuance_stop",
    metadata,
    _text("tenant"),
    _text("stopped_tenant"),
    _text("issuer"),
    _text("cause"),
    _number("since"),
    PrimaryKeyConstraint("tenant", "stopped_tenant", "issuer", "cause"),
)

issuer_policy = Table(
    "issuer_policy",
    metadata,
    _text("tenant"),
    _text("issuer"),
    Column("version", Integer, nullable=False, autoincrement=False),
    _text("title"),
    _text("language"),
    _text("media_type"),
    _text("content"),
    _number("published_at"),
    PrimaryKeyConstraint("tenant", "issuer", "version"),
)

# Public: who issues is written in every certificate. It is how a status request, which names
# no tenant, finds the one it belongs to.
issuer_directory = Table(
    "issuer_directory",
    metadata,
    _text("issuer"),
    _text("tenant"),
    _octets("sha1_key"),
    _octets("sha256_key"),
    _octets("certificate"),
    PrimaryKeyConstraint("issuer"),
    Index("issuer_directory_sha1", "sha1_key"),
    Index("issuer_directory_sha256", "sha256_key"),
)

responder = Table(
    "responder",
    metadata,
    _text("tenant"),
    _text("issuer"),
    _text("signing_key"),
    _octets("certificate"),
    _number("not_after"),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "issuer"),
)

serial_block = Table(
    "serial_block",
    metadata,
    _text("tenant"),
    _text("id"),
    _text("issuer"),
    _epoch(),
    Column("size", Integer, nullable=False),
    _shard(),
    _octets("prf_key"),
    _text("node"),
    _number("created_at"),
    _number("closed_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
    Index("serial_block_open", "tenant", "node", "closed_at"),
)

certificate = Table(
    "certificate",
    metadata,
    _text("tenant"),
    _octets("id"),
    _epoch(),
    _text("issuer"),
    _octets("serial"),
    _text("profile"),
    Column("profile_version", Integer, nullable=False),
    _text("subject"),
    _number("not_before"),
    _number("not_after"),
    _shard(),
    _number("fingerprint"),
    PrimaryKeyConstraint("issuer", "serial", "epoch"),
    # One for each order that a search can be read in (ADR 14). An issuer belongs to one tenant
    # and needs none before it.
    Index("certificate_list", "tenant", "id"),
    Index("certificate_expiry", "tenant", "not_after", "id"),
    Index("certificate_profile", "tenant", "profile", "not_after", "id"),
    Index("certificate_issuer", "issuer", "not_after", "id"),
    Index("certificate_subject", "tenant", "subject", "id"),
    Index("certificate_fingerprint", "tenant", "fingerprint"),
    postgresql_partition_by="RANGE (epoch)",
)

# Names as rows, host names reversed ("com.example.www"), so that a subtree is one range.
certificate_name = Table(
    "certificate_name",
    metadata,
    _text("tenant"),
    _text("name"),
    _octets("certificate"),
    _epoch(),
    PrimaryKeyConstraint("tenant", "name", "certificate", "epoch"),
    postgresql_partition_by="RANGE (epoch)",
    sqlite_with_rowid=False,
)

certificate_der = Table(
    "certificate_der",
    metadata,
    _text("tenant"),
    _octets("certificate"),
    _epoch(),
    _octets("der"),
    PrimaryKeyConstraint("certificate", "epoch"),
    postgresql_partition_by="RANGE (epoch)",
    sqlite_with_rowid=False,
)

# Tenants' own profiles. A version never changes but to be retired.
profile = Table(
    "profile",
    metadata,
    _text("tenant"),
    _text("name"),
    Column("version", Integer, nullable=False, autoincrement=False),
    _text("document"),
    _text("digest"),
    _number("created_at"),
    _number("retired_at", nullable=True),
    PrimaryKeyConstraint("tenant", "name", "version"),
)

# certificateHold (RFC 5280 section 5.3.1); the few held ones have an index of their own.
HELD = text(f"reason = {RevocationReason.CERTIFICATE_HOLD.number}")

# What changes is narrow and apart: a certificate's own row is never updated. A void serial (a
# crash lay between its reservation and its record) stands here without a certificate.
revocation = Table(
    "revocation",
    metadata,
    _text("tenant"),
    _text("issuer"),
    _octets("serial"),
    _epoch(),
    _octets("certificate", nullable=True),
    _number("revoked_at"),
    Column("reason", Integer, nullable=False),
    _octets("entry"),
    _number("listed_until"),
    _number("invalid_since", nullable=True),
    _shard(),
    # The issuer's count of changes when this one was made: what a delta CRL goes by.
    _number("change"),
    PrimaryKeyConstraint("tenant", "issuer", "serial"),
    Index("revocation_shard", "tenant", "issuer", "shard", "serial"),
    Index("revocation_change", "tenant", "issuer", "change"),
    Index("revocation_expiry", "tenant", "listed_until", "issuer", "serial"),
    Index(
        "revocation_held",
        *("tenant", "listed_until", "issuer", "serial"),
        sqlite_where=HELD,
        postgresql_where=HELD,
    ),
    sqlite_with_rowid=False,
)

# What changed of late, for the nodes that have answers about it in memory. Its columns stand in
# the order of its key: SQLite 3.40's integrity check finds NULL in them otherwise.
status_change = Table(
    "status_change",
    metadata,
    _number("changed_at"),
    _text("issuer"),
    _octets("serial"),
    _text("tenant"),
    PrimaryKeyConstraint("changed_at", "issuer", "serial"),
    sqlite_with_rowid=False,
)

# A hold that was taken back: delta CRLs say so until a complete list stands without it.
revocation_release = Table(
    "revocation_release",
    metadata,
    _text("tenant"),
    _text("issuer"),
    _octets("serial"),
    _epoch(),
    _shard(),
    _number("change"),
    _number("released_at"),
    _octets("entry"),
    PrimaryKeyConstraint("tenant", "issuer", "serial"),
    Index("revocation_release_change", "tenant", "issuer", "change"),
    sqlite_with_rowid=False,
)

# What a CRL is for: shard 0 is all of an issuer, every other one what was issued in it (ADR 13).
# `places` counts serials reserved in a shard; `changes`, on shard 0, the issuer's revocations,
# holds and releases; `number` is the last number given to a list of the scope, full or delta,
# `full_number` and `delta_number` those of the last published ones.
crl_scope = Table(
    "crl_scope",
    metadata,
    _text("tenant"),
    _text("issuer"),
    _shard(),
    _text("url"),
    _number("places"),
    Column("last_epoch", Integer, nullable=False, autoincrement=False),
    _number("changes"),
    _number("number"),
    _number("base_number"),
    _number("base_change"),
    _number("base_at"),
    _number("full_number"),
    _number("delta_number"),
    PrimaryKeyConstraint("tenant", "issuer", "shard"),
)

crl = Table(
    "crl",
    metadata,
    _text("tenant"),
    _text("issuer"),
    _shard(),
    _text("kind"),
    _number("number"),
    _number("this_update"),
    _number("next_update"),
    Column("entries", Integer, nullable=False),
    Column("scheduled", Integer, nullable=False),
    _octets("der"),
    PrimaryKeyConstraint("tenant", "issuer", "shard", "kind", "number"),
)

# Below which no CRL number of an issuer may be: those above the last list of a restored database.
crl_floor = Table(
    "crl_floor",
    metadata,
    _text("tenant"),
    _text("issuer"),
    _number("number"),
    PrimaryKeyConstraint("tenant", "issuer"),
)

idempotency = Table(
    "idempotency",
    metadata,
    _text("tenant"),
    _octets("key_hash"),
    _octets("request_digest"),
    _octets("certificate"),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "key_hash"),
    Index("idempotency_age", "tenant", "created_at"),
    sqlite_with_rowid=False,
)

# Which certificate took which one's place. One may have had several successors.
succession = Table(
    "succession",
    metadata,
    _text("tenant"),
    _octets("predecessor"),
    _octets("successor"),
    _text("kind"),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "predecessor", "successor"),
    Index("succession_successor", "tenant", "successor"),
    sqlite_with_rowid=False,
)

# A file with many requests; its rows that are not done yet, some at a time, sealed; what became of
# each row. A row's outcome stands in the transaction of its act, so that no row is done twice.
bulk = Table(
    "bulk",
    metadata,
    _text("tenant"),
    _text("id"),
    _text("actor_kind"),
    _text("actor"),
    _text("request"),
    _text("state"),
    _number("rows"),
    _number("succeeded"),
    _number("refused"),
    _number("created_at"),
    _number("finished_at", nullable=True),
    PrimaryKeyConstraint("tenant", "id"),
)

bulk_rows = Table(
    "bulk_rows",
    metadata,
    _text("tenant"),
    _text("bulk"),
    _number("first_row"),
    _octets("sealed"),
    PrimaryKeyConstraint("tenant", "bulk", "first_row"),
)

bulk_outcome = Table(
    "bulk_outcome",
    metadata,
    _text("tenant"),
    _text("bulk"),
    _number("row"),
    _octets("digest"),
    _octets("certificate", nullable=True),
    _text("code"),
    _octets("sealed"),
    PrimaryKeyConstraint("tenant", "bulk", "row"),
    Index("bulk_outcome_digest", "tenant", "bulk", "digest"),
    sqlite_with_rowid=False,
)

# Keys that must not be certified: SHA-256 of SubjectPublicKeyInfo. The operator's own are refused
# to all tenants.
refused_key = Table(
    "refused_key",
    metadata,
    _text("tenant"),
    _octets("spki_sha256"),
    _text("ground"),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "spki_sha256"),
    Index("refused_key_age", "tenant", "created_at"),
    sqlite_with_rowid=False,
)

# RSA moduli that a tenant has had certified, with the key that was first.
rsa_modulus = Table(
    "rsa_modulus",
    metadata,
    _text("tenant"),
    _octets("modulus_sha256"),
    _octets("spki_sha256"),
    _number("created_at"),
    PrimaryKeyConstraint("tenant", "modulus_sha256"),
    sqlite_with_rowid=False,
)

notice_setting = Table(
    "notice_setting",
    metadata,
    _text("tenant"),
    _text("addresses"),
    _text("days"),
    _text("language"),
    _number("changed_at"),
    PrimaryKeyConstraint("tenant"),
)

# Up to which notAfter certificates were told of, for each number of days before.
notice_mark = Table(
    "notice_mark",
    metadata,
    _text("tenant"),
    Column("days", Integer, nullable=False, autoincrement=False),
    _number("told_until"),
    PrimaryKeyConstraint("tenant", "days"),
)

notice_mail = Table(
    "notice_mail",
    metadata,
    _text("tenant"),
    _text("id"),
    _number("created_at"),
    _text("addresses"),
    _text("language"),
    _text("subject"),
    _text("content"),
    PrimaryKeyConstraint("tenant", "id"),
)

audit_event = Table(
    "audit_event",
    metadata,
    _text("tenant"),
    _number("sequence"),
    _octets("canonical"),
    _octets("digest"),
    _octets("disclosures"),
    PrimaryKeyConstraint("tenant", "sequence"),
)

audit_head = Table(
    "audit_head",
    metadata,
    _text("tenant"),
    _number("sequence"),
    _octets("digest"),
    PrimaryKeyConstraint("tenant"),
)

job = Table(
    "job",
    metadata,
    _text("kind"),
    _text("key"),
    _text("tenant"),
    _number("run_at"),
    _text("owner", nullable=True),
    _number("leased_until"),
    Column("tries", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "key"),
    Index("job_due", "run_at"),
)

# Every node that ever started on this database, and how far its journal of negative acts is in
# here: all of its acts up to `mark`, and those of `negative_act` (ADR 15).
node = Table(
    "node",
    metadata,
    _text("id"),
    _number("generation"),
    _number("mark"),
    _number("beat"),
    _number("blocks_until"),
    Column("awaited", Integer, nullable=False),
    _number("written_off_at", nullable=True),
    PrimaryKeyConstraint("id"),
)

negative_act = Table(
    "negative_act",
    metadata,
    _text("node"),
    _number("place"),
    PrimaryKeyConstraint("node", "place"),
    sqlite_with_rowid=False,
)

# Tables without a row policy, and why. Every other table is one tenant's.
SHARED_TABLES = {
    "issuer_directory": "public: names the tenant of an issuer for requests that cannot",
    "issuance_stop": "public: ids of who issues nothing; every node reads all tenants'",
    "status_change": "public: serial numbers as CRLs list them; every node reads all tenants'",
    "job": "provider: ids only; a worker takes the next due job of any tenant",
    "node": "provider: the platform's own nodes",
    "negative_act": "provider: places in the nodes' journals, nothing of what was done",
}
# The column that holds the tenant, where it is not called so.
TENANT_COLUMN = {"tenant": "id"}
PARTITIONED = ("certificate", "certificate_name", "certificate_der")
