"""The schema, once for both engines (laid out for ten million certificates, ADR 3).

All instants are Unix time in milliseconds. Serial numbers are 20 octets, big-endian. `epoch`
is the expiry month of `kernel.month`, which stands in every serial number and certificate id,
so that status finds its partition from the serial alone and retention drops whole partitions.
Text compares by octets (collation "C"), because prefix search is a range of octets.
"""

from __future__ import annotations

from tegata.store.schema.columns import metadata as metadata
from tegata.store.schema.identity import confirmation_record as confirmation_record
from tegata.store.schema.identity import identity_certificate as identity_certificate
from tegata.store.schema.identity import identity_consent as identity_consent
from tegata.store.schema.identity import identity_delivery as identity_delivery
from tegata.store.schema.identity import identity_purpose as identity_purpose
from tegata.store.schema.identity import identity_session as identity_session
from tegata.store.schema.identity import identity_watch as identity_watch
from tegata.store.schema.issuance import certificate as certificate
from tegata.store.schema.issuance import certificate_der as certificate_der
from tegata.store.schema.issuance import certificate_name as certificate_name
from tegata.store.schema.issuance import issuance_stop as issuance_stop
from tegata.store.schema.issuance import issuer as issuer
from tegata.store.schema.issuance import issuer_certificate as issuer_certificate
from tegata.store.schema.issuance import issuer_directory as issuer_directory
from tegata.store.schema.issuance import issuer_policy as issuer_policy
from tegata.store.schema.issuance import pending_issuer as pending_issuer
from tegata.store.schema.issuance import responder as responder
from tegata.store.schema.issuance import serial_block as serial_block
from tegata.store.schema.issuance import signing_key as signing_key
from tegata.store.schema.platform import job as job
from tegata.store.schema.platform import negative_act as negative_act
from tegata.store.schema.platform import node as node
from tegata.store.schema.registration import bulk as bulk
from tegata.store.schema.registration import bulk_outcome as bulk_outcome
from tegata.store.schema.registration import bulk_rows as bulk_rows
from tegata.store.schema.registration import idempotency as idempotency
from tegata.store.schema.registration import notice_mail as notice_mail
from tegata.store.schema.registration import notice_mark as notice_mark
from tegata.store.schema.registration import notice_setting as notice_setting
from tegata.store.schema.registration import profile as profile
from tegata.store.schema.registration import refused_key as refused_key
from tegata.store.schema.registration import rsa_modulus as rsa_modulus
from tegata.store.schema.registration import succession as succession
from tegata.store.schema.revocation import HELD as HELD
from tegata.store.schema.revocation import crl as crl
from tegata.store.schema.revocation import crl_floor as crl_floor
from tegata.store.schema.revocation import crl_scope as crl_scope
from tegata.store.schema.revocation import revocation as revocation
from tegata.store.schema.revocation import revocation_release as revocation_release
from tegata.store.schema.revocation import status_change as status_change
from tegata.store.schema.take_over import foreign_serial as foreign_serial
from tegata.store.schema.take_over import take_over as take_over
from tegata.store.schema.take_over import take_over_entry as take_over_entry
from tegata.store.schema.tenancy import audit_event as audit_event
from tegata.store.schema.tenancy import audit_head as audit_head
from tegata.store.schema.tenancy import data_key as data_key
from tegata.store.schema.tenancy import tenant as tenant
from tegata.store.schema.tenancy import token as token
from tegata.store.schema.timestamping import anchored_checkpoint as anchored_checkpoint
from tegata.store.schema.timestamping import log_anchor as log_anchor
from tegata.store.schema.timestamping import timestamp_authority as timestamp_authority
from tegata.store.schema.timestamping import timestamp_block as timestamp_block
from tegata.store.schema.timestamping import timestamp_directory as timestamp_directory
from tegata.store.schema.timestamping import timestamp_unit as timestamp_unit
from tegata.store.schema.transparency import log_head as log_head
from tegata.store.schema.transparency import log_leaf as log_leaf
from tegata.store.schema.transparency import log_mark as log_mark
from tegata.store.schema.transparency import log_queue as log_queue
from tegata.store.schema.transparency import log_salt as log_salt
from tegata.store.schema.transparency import log_tile as log_tile

# Tables without a row policy, and why. Every other table is one tenant's.
SHARED_TABLES = {
    "issuer_directory": "public: names the tenant of an issuer for requests that cannot",
    "issuance_stop": "public: ids of who issues nothing; every node reads all tenants'",
    "status_change": "public: serial numbers as CRLs list them; every node reads all tenants'",
    "timestamp_directory": "public: names the tenant of a time-stamping authority, as above",
    "job": "provider: ids only; a worker takes the next due job of any tenant",
    "node": "provider: the platform's own nodes",
    "log_head": "public: the log's size and checkpoint; every node reads them",
    "log_tile": "public: commitments and hashes, as the log publishes them",
    "anchored_checkpoint": "public: checkpoints as the log published them",
    "log_anchor": "public: time-stamps of these",
    "negative_act": "provider: places in the nodes' journals, nothing of what was done",
}
# The column that holds the tenant, where it is not called so.
TENANT_COLUMN = {"tenant": "id"}
PARTITIONED = ("certificate", "certificate_name", "certificate_der")
