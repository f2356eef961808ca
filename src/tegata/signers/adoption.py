"""Keys that the signer did not make, and who may have them (ADR 18).

The caller says for which CA and which tenant it wants a key; that does not decide. An operator's
authorisation does: a file in a folder of the signer's own, which names the key, the one tenant it
is for, and where it is (an object of the token, or the key itself, sealed). `tegata authorise-key`
writes it on the signer's machine; nothing that the caller can send does.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote_to_bytes

import msgspec

from tegata.kernel.ids import KeyId, encode_id, is_key_id, time_ordered
from tegata.kernel.ports import Clock, Randomness
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import (
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
    choose_signature_algorithm,
)
from tegata.pkix import oids
from tegata.pkix.certificate import TbsCertificate, parse_certificate, parse_tbs_certificate
from tegata.pkix.der import DerError
from tegata.pkix.extensions import parse_basic_constraints
from tegata.pkix.foreign import authority_key_of
from tegata.pkix.name_constraints import parse_name_constraints
from tegata.pkix.signatures import SignatureInvalid, verify
from tegata.profiles.authority import AuthorityBounds
from tegata.profiles.public_key import find_key_algorithm, key_weakness
from tegata.signers import messages
from tegata.signers.keys import KeyBackEnd, KeyRecord
from tegata.signers.sealing import RecordSealer

FOLDER = "key-authorisations"
_CA_PURPOSES = frozenset({KeyPurpose.ROOT_CA, KeyPurpose.SUBORDINATE_CA, KeyPurpose.ISSUING_CA})
# What an adopted key signs to prove itself: nothing that is signed for any other purpose.
_PROOF = b"tegata: proof of an adopted key\0"


class Authorisation(msgspec.Struct, forbid_unknown_fields=True):
    """An operator's word, as its file holds it (JSON).

    `purpose` is the kind of CA that the key may be here. `key` is a PKCS #11 URI (RFC 7512) of an
    object of the token; or `sealed` is the key itself (PKCS #8, sealed, base64). `until` is when
    the word ends (RFC 3339).
    """

    tenant: str
    purpose: str
    spki_sha256: str
    until: datetime
    key: str = ""
    sealed: str = ""


def sealed_context(tenant: str, spki_sha256: str) -> str:
    """What binds a sealed key to the word that it comes with."""
    return f"key-authorisation|{tenant}|{spki_sha256}"


def write_authorisation(folder: Path, word: Authorisation) -> Path:
    """Write an operator's word down, whole and durable; ValueError when there is one already."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{word.spki_sha256}.json"
    temporary = folder / f".{word.spki_sha256}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(word))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise ValueError(f"the key is authorised already: {path}") from error
    finally:
        temporary.unlink()
    return path


def parse_key_uri(uri: str) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Token, label and CKA_ID that a PKCS #11 URI names (RFC 7512 section 2.3); ValueError for a
    URI that names no key, or anything else."""
    scheme, _, path = uri.partition(":")
    found: dict[str, bytes] = {}
    for each in path.partition("?")[0].split(";"):
        name, equals, value = each.partition("=")
        if not equals or name in found:
            raise ValueError("not a PKCS #11 URI (RFC 7512)")
        found[name] = unquote_to_bytes(value)
    if scheme != "pkcs11" or found.pop("type", b"private") != b"private":
        raise ValueError("not a PKCS #11 URI of a private key (RFC 7512)")
    token, label, identifier = (found.pop(name, None) for name in ("token", "object", "id"))
    if found:
        raise ValueError(f"not looked at in a PKCS #11 URI: {', '.join(found)}")
    if not label and not identifier:
        raise ValueError("a PKCS #11 URI of a key has object=, id=, or both")
    return token, label, identifier


@dataclass(frozen=True, slots=True)
class Adoptions:
    """Adopts keys that an operator has authorised."""

    folder: Path
    back_end: KeyBackEnd
    sealer: RecordSealer
    clock: Clock
    randomness: Randomness

    def adopt(self, request: messages.AdoptKey) -> KeyRecord:
        """The record of a key, to be sealed. Raises `Problem` with key.not-authorised,
        key.algorithm-refused, csr.weak-key, or take-over.refused when it is another key."""
        purpose, tbs = _of(request)
        word = self._word(request.tenant, tbs.public_key)
        if word.purpose != purpose:
            raise _unauthorised(f"the key was authorised as {word.purpose}, not as {purpose}")
        algorithm, signs = _algorithms(tbs.public_key, request.signature_algorithm)
        octets = time_ordered(int(self.clock.now().timestamp() * 1000), self.randomness.octets(10))
        record = KeyRecord(
            key=KeyId(encode_id("key", octets)),
            tenant=request.tenant,
            purpose=purpose,
            algorithm=algorithm,
            signature_algorithm=signs,
            subject=tbs.subject,
            public_key=tbs.public_key,
            authority_subject=b"",
            authority_public_key=b"",
            back_end=self.back_end.name,
            secret=b"",
            bounds=_bounds(tbs, purpose),
            key_identifier=authority_key_of(tbs),
        )
        try:
            if word.sealed:
                context = sealed_context(word.tenant, word.spki_sha256)
                secret = self.sealer.unseal(base64.b64decode(word.sealed), context)
                record = msgspec.structs.replace(record, secret=secret)
            else:
                handle = self.back_end.find_foreign(*parse_key_uri(word.key))
                record = msgspec.structs.replace(record, handle=handle)
            self._require_key(record)
        except (ValueError, SignatureInvalid) as error:
            raise _refused(
                f"the key is not the certificate's, or cannot be used: {error}"
            ) from error
        return record

    def _require_key(self, record: KeyRecord) -> None:
        """It signs, and the certificate's public key verifies what it signs."""
        if is_key_id(record.handle.decode("ascii", "replace")):
            raise ValueError("it is a key that the platform made, for somebody else")
        message = _PROOF + self.randomness.octets(32)
        signature = self.back_end.open(record).sign(message)
        verify(
            record.public_key, SignatureAlgorithm(record.signature_algorithm), signature, message
        )

    def _word(self, tenant: str, public_key: bytes) -> Authorisation:
        digest = hashlib.sha256(public_key).hexdigest()
        path = self.folder / f"{digest}.json"
        try:
            with path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o022:
                    raise _unauthorised("the authorisation's file can be written by others")
                word = msgspec.json.decode(file.read(), type=Authorisation)
        except FileNotFoundError as error:
            raise _unauthorised(f"no authorisation for the key {digest}") from error
        except (OSError, msgspec.DecodeError) as error:
            raise _unauthorised("the authorisation cannot be read") from error
        # What another tenant was given is nothing that this one learns of.
        if word.tenant != tenant or word.spki_sha256 != digest:
            raise _unauthorised(f"no authorisation for the key {digest}")
        if word.until.astimezone(UTC) < self.clock.now():
            raise _unauthorised("the authorisation has ended")
        return word


def _of(request: messages.AdoptKey) -> tuple[KeyPurpose, TbsCertificate]:
    try:
        purpose = KeyPurpose(request.purpose)
        tbs = parse_tbs_certificate(parse_certificate(request.certificate).tbs)
        basic = tbs.extensions.get(oids.BASIC_CONSTRAINTS)
        is_ca = basic is not None and parse_basic_constraints(basic.value).ca
    except ValueError as error:
        raise _refused("not a purpose of a CA, or not a CA's certificate") from error
    if purpose not in _CA_PURPOSES or not is_ca:
        raise _refused("not a purpose of a CA, or not a CA's certificate")
    return purpose, tbs


def _algorithms(public_key: bytes, wanted: str) -> tuple[KeyAlgorithm, SignatureAlgorithm]:
    weakness = key_weakness(public_key)
    if weakness is not None:
        raise Problem(ProblemCode.CSR_WEAK_KEY, weakness.message)
    algorithm = find_key_algorithm(public_key)
    if algorithm is None:
        raise Problem(ProblemCode.KEY_ALGORITHM_REFUSED, f"keys are of {', '.join(KeyAlgorithm)}")
    try:
        chosen = SignatureAlgorithm(wanted) if wanted else None
    except ValueError as error:
        raise Problem(ProblemCode.KEY_ALGORITHM_REFUSED, "no such algorithm") from error
    return algorithm, choose_signature_algorithm(algorithm, chosen)


def _bounds(tbs: TbsCertificate, purpose: KeyPurpose) -> AuthorityBounds:
    """What the CA's own certificate says that it may do."""
    try:
        basic = tbs.extensions[oids.BASIC_CONSTRAINTS]
        limits = tbs.extensions.get(oids.NAME_CONSTRAINTS)
        length = parse_basic_constraints(basic.value).path_length
        constraints = parse_name_constraints(limits.value) if limits is not None else None
    except DerError as error:
        raise _refused(f"the CA's certificate cannot be read: {error}") from error
    return AuthorityBounds(0 if purpose is KeyPurpose.ISSUING_CA else length, constraints)


def _unauthorised(detail: str) -> Problem:
    return Problem(ProblemCode.KEY_NOT_AUTHORISED, f"{detail} (docs/how-to/take-over.md)")


def _refused(detail: str) -> Problem:
    return Problem(ProblemCode.TAKE_OVER_REFUSED, detail)
