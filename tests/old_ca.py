"""A CA as somebody ran it for years with `openssl ca`: its files are what is handed over."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

PASSPHRASE = "tanuki-kitsune"
_CONFIG = """
[ca]
default_ca = d
[d]
dir = {folder}
new_certs_dir = {folder}/newcerts
database = {folder}/index.txt
serial = {folder}/serial
crlnumber = {folder}/crlnumber
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
default_days = 365
default_crl_days = 30
policy = p
x509_extensions = usr
copy_extensions = copy
unique_subject = no
crl_extensions = {crl_extensions}
[p]
commonName = supplied
organizationName = optional
[usr]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
crlDistributionPoints = URI:{point}
[plain]
authorityKeyIdentifier = keyid
[pointed]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical,@idp
[idp]
fullname = URI:{point}
[v3_ca]
basicConstraints = CA:true
subjectKeyIdentifier = hash
[req]
distinguished_name = dn
[dn]
"""
POINT = "http://pki.old-company.example/ca.crl"


@dataclass(frozen=True, slots=True)
class OldCa:
    """The folder of an `openssl ca`."""

    folder: Path

    @classmethod
    def make(
        cls,
        folder: Path,
        *,
        key: tuple[str, ...] = ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        serial: str = "1000",
        crl_number: str = "07",
        pointed: bool = False,
        subject: str = "/O=Old Company/CN=Old CA",
    ) -> OldCa:
        """A new one; its first serial number, and that of its first list, in hexadecimal."""
        (folder / "newcerts").mkdir(parents=True)
        (folder / "index.txt").touch()
        (folder / "serial").write_text(serial)
        (folder / "crlnumber").write_text(crl_number)
        extensions = "pointed" if pointed else "plain"
        (folder / "ca.cnf").write_text(
            _CONFIG.format(folder=folder, crl_extensions=extensions, point=POINT)
        )
        made = cls(folder)
        made.openssl("genpkey", "-algorithm", *key, "-out", made.key)
        made.openssl(
            "req", "-x509", "-new", "-key", made.key, "-days", "3650", "-subj", subject,
            "-config", made.config, "-extensions", "v3_ca", "-out", made.certificate,
        )  # fmt: skip
        made.openssl(
            "pkcs8", "-topk8", "-in", made.key, "-passout", f"pass:{PASSPHRASE}",
            "-out", made.encrypted_key,
        )  # fmt: skip
        (folder / "passphrase").write_text(PASSPHRASE + "\n")
        return made

    @property
    def key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def encrypted_key(self) -> Path:
        return self.folder / "ca.p8"

    @property
    def passphrase(self) -> Path:
        return self.folder / "passphrase"

    @property
    def config(self) -> Path:
        return self.folder / "ca.cnf"

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def issued(self) -> Path:
        """The folder with what it issued."""
        return self.folder / "newcerts"

    @property
    def index(self) -> Path:
        return self.folder / "index.txt"

    @property
    def crl(self) -> Path:
        return self.folder / "crl.pem"

    def openssl(self, *arguments: str | Path) -> str:
        """What `openssl` prints; it must succeed."""
        done = subprocess.run(
            ["openssl", *map(str, arguments)],
            cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"
        return done.stdout + done.stderr

    def issue(self, name: str, *options: str) -> Path:
        """A certificate for a host name: its PEM file."""
        request, made = self.folder / f"{name}.csr", self.folder / f"{name}.pem"
        self.openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", self.folder / f"{name}.key", "-subj", f"/O=Old Company/CN={name}",
            "-addext", f"subjectAltName=DNS:{name}", "-config", self.config, "-out", request,
        )  # fmt: skip
        self.openssl(
            "ca", "-batch", "-notext", "-config", self.config, "-in", request, "-out", made,
            *options,
        )  # fmt: skip
        return made

    def revoke(self, certificate: Path, reason: str = "superseded") -> None:
        """Revoke, in its index."""
        self.openssl("ca", "-config", self.config, "-revoke", certificate, "-crl_reason", reason)

    def publish(self) -> Path:
        """Its next list."""
        self.openssl("ca", "-config", self.config, "-gencrl", "-out", self.crl)
        return self.crl
