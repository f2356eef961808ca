"""Requests for certificates, as the measurements send them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bench.platform import Running


def requests_for(count: int) -> list[str]:
    """Certification requests with keys of their own."""
    made = []
    for number in range(count):
        name = f"host{number}.example.test"
        request = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        )
        made.append(request.public_bytes(Encoding.PEM).decode())
    return made


def issue_plan(run: Running, csrs: list[str]) -> dict[str, Any]:
    """A load of requests for certificates."""
    context = run.context
    token = Path(context["token_file"]).read_text().strip()
    return {
        "url": context["api"] + "/v1/certificates",
        "headers": {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        "bodies": [
            json.dumps({"issuer": context["issuer"], "profile": "tls-server", "csr": csr})
            for csr in csrs
        ],
        "requests": len(csrs),
        "connections": 4,
        "keep_alive": True,
        "expect": 201,
        "tls_ca": context["tls_ca"],
    }
