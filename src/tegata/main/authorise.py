"""`tegata authorise-key`: an operator's word that a tenant may have a key (ADR 18).

It runs on the signer's machine and writes into the signer's own folder. No request of the API
does the same.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import timedelta
from pathlib import Path

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from tegata.kernel.signing import KeyPurpose
from tegata.outbound.system import SystemClock, SystemRandomness
from tegata.pkix.certificate import parse_certificate, parse_tbs_certificate
from tegata.pkix.der import DerError
from tegata.pkix.foreign import ElementReader
from tegata.profiles.public_key import find_key_algorithm, key_weakness
from tegata.signers.adoption import (
    FOLDER,
    Authorisation,
    parse_key_uri,
    sealed_context,
    write_authorisation,
)
from tegata.signers.sealing import RecordSealer, load_sealing_key

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_PURPOSES = {
    "root": KeyPurpose.ROOT_CA,
    "subordinate": KeyPurpose.SUBORDINATE_CA,
    "issuing": KeyPurpose.ISSUING_CA,
}
_NOT_FOUND = "no certificate in the file"


@click.command("authorise-key")
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--tenant", required=True, help="The id of the tenant that may have the key.")
@click.option("--certificate", type=_FILE, required=True, help="The CA's certificate.")
@click.option(
    "--kind",
    type=click.Choice(list(_PURPOSES)),
    default="issuing",
    show_default=True,
    help="What the key may sign: issuing, certificates of end entities; else, of CAs.",
)
@click.option("--key-uri", help="A key in the token: a PKCS #11 URI with object=, id= or both.")
@click.option("--key", type=_FILE, help="A software key: an encrypted PKCS #8 file.")
@click.option("--passphrase-file", type=_FILE, help="Its passphrase; asked for if left out.")
@click.option("--sealing-key", type=_FILE, help="As of serve.")
@click.option("--days", default=7, show_default=True, help="How long the word holds.")
@click.option("--withdraw", is_flag=True, help="Take the word back.")
def authorise_key_command(
    data: Path,
    tenant: str,
    certificate: Path,
    kind: str,
    key_uri: str | None,
    key: Path | None,
    passphrase_file: Path | None,
    sealing_key: Path | None,
    days: int,
    *,
    withdraw: bool,
) -> None:
    """Let a tenant take over the CA that has this key.

    Run it where the signer runs. The word is used by `tegata ca take-over begin`; it names one
    key and one tenant, and ends by itself.
    """
    os.umask(0o077)
    try:
        public_key = _public_key(certificate)
        digest = hashlib.sha256(public_key).hexdigest()
        if withdraw:
            (data / FOLDER / f"{digest}.json").unlink()
            return
        if (key is None) == (key_uri is None):
            raise click.UsageError("give one of --key-uri and --key")
        until = SystemClock().now() + timedelta(days=days)
        word = Authorisation(tenant, _PURPOSES[kind], digest, until)
        if key_uri is not None:
            parse_key_uri(key_uri)
            word.key = key_uri
        elif key is not None:
            secret = _read_key(key, passphrase_file, public_key)
            word.sealed = _seal(secret, word, sealing_key or data / "sealing.key")
        path = write_authorisation(data / FOLDER, word)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
    told = {"tenant": tenant, "kind": kind, "spki_sha256": digest, "file": str(path)}
    click.echo(json.dumps({**told, "until": word.until.isoformat(timespec="seconds")}))


def _public_key(certificate: Path) -> bytes:
    """The key (SubjectPublicKeyInfo) of the first certificate of a file."""
    reader = ElementReader(b"CERTIFICATE")
    found = reader.feed(certificate.read_bytes())
    if not found:
        raise ValueError(_NOT_FOUND)
    try:
        public_key = parse_tbs_certificate(parse_certificate(found[0]).tbs).public_key
    except DerError as error:
        raise ValueError(f"the certificate cannot be read: {error}") from error
    weakness = key_weakness(public_key)
    if weakness is not None:
        raise ValueError(f"the key is too weak: {weakness.message}")
    if find_key_algorithm(public_key) is None:
        raise ValueError("the platform does not sign with keys of this kind or size")
    return public_key


def _read_key(file: Path, passphrase_file: Path | None, public_key: bytes) -> bytes:
    """The PKCS #8 octets of the certificate's key."""
    octets = file.read_bytes()
    if passphrase_file is not None:
        passphrase = passphrase_file.read_bytes().rstrip(b"\r\n")
    else:
        passphrase = click.prompt("Passphrase", hide_input=True, err=True).encode()
    load = load_pem_private_key if octets.startswith(b"-----") else load_der_private_key
    try:
        private = load(octets, passphrase)
    except TypeError as error:
        raise ValueError("the key's file is not encrypted: openssl pkcs8 -topk8") from error
    except UnsupportedAlgorithm as error:
        raise ValueError(f"the key's file cannot be read: {error}") from error
    own = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if own != public_key:
        raise ValueError("the key is not the certificate's")
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _seal(secret: bytes, word: Authorisation, sealing_key: Path) -> str:
    root = load_sealing_key(sealing_key, SystemRandomness(), first=False)
    context = sealed_context(word.tenant, word.spki_sha256)
    return base64.b64encode(RecordSealer(root, SystemRandomness()).seal(secret, context)).decode()
