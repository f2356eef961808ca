"""Certification authorities of every algorithm, made in the demo tenant before it is served.

Run as a program on a data folder that no platform is using: it makes what the life of a CA over
REST will make one day, through the same use cases, signer process and store.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tegata.issuance.model import Issuer
from tegata.kernel.scope import TenantScope, platform_acts
from tegata.kernel.signing import KeyAlgorithm, SignatureAlgorithm
from tegata.main.bootstrap import DEMO_TENANT, ensure_demo
from tegata.main.composition import Platform, compose
from tegata.main.settings import Address, Pkcs11Settings, Settings
from tegata.main.signer_supervisor import SignerSupervisor
from tests.conformance.running import plain_environment, run


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """What a root and the issuing CA below it sign with; the issuing CA may differ."""

    algorithm: KeyAlgorithm
    signature: SignatureAlgorithm | None = None
    issuing: KeyAlgorithm | None = None


_K, _S = KeyAlgorithm, SignatureAlgorithm
POST_QUANTUM: Final[Mapping[str, Hierarchy]] = {
    "ml-dsa-44": Hierarchy(_K.ML_DSA_44),
    "ml-dsa-65": Hierarchy(_K.ML_DSA_65),
    "ml-dsa-87": Hierarchy(_K.ML_DSA_87),
}
CLASSICAL: Final[Mapping[str, Hierarchy]] = {
    "p256": Hierarchy(_K.P256),
    "p384": Hierarchy(_K.P384),
    "p521": Hierarchy(_K.P521),
    "rsa-2048": Hierarchy(_K.RSA_2048),
    "rsa-3072": Hierarchy(_K.RSA_3072, _S.RSA_PKCS1_SHA384),
    "rsa-4096": Hierarchy(_K.RSA_4096, _S.RSA_PKCS1_SHA512),
    "rsa-2048-pss": Hierarchy(_K.RSA_2048, _S.RSA_PSS_SHA256),
    "rsa-3072-pss": Hierarchy(_K.RSA_3072, _S.RSA_PSS_SHA384),
    "rsa-4096-pss": Hierarchy(_K.RSA_4096, _S.RSA_PSS_SHA512),
    "ed25519": Hierarchy(_K.ED25519),
    "rsa-4096 over p384": Hierarchy(_K.RSA_4096, None, _K.P384),
}


def make_authorities(
    data: Path, *names: str, token: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> dict[str, list[str]]:
    """Make hierarchies in a data folder: by name the ids of the root and the issuing CA.

    `token` is a PKCS#11 module, a label and a file with the PIN.
    """
    program = ("-m", __name__, str(data), ",".join(names), *token)
    printed = run(
        sys.executable, *program, environment={**plain_environment(), **(environment or {})}
    )
    made: dict[str, list[str]] = json.loads(printed.splitlines()[-1])
    return made


async def _hierarchy(platform: Platform, name: str, wanted: Hierarchy) -> list[str]:
    scope = platform_acts(DEMO_TENANT, "conformance")
    make = platform.hierarchy
    root = await make.create_root(scope, name, wanted.algorithm, wanted.signature)
    if wanted.issuing is None:
        below = wanted.algorithm, wanted.signature
    else:
        below = wanted.issuing, None
    issuing = await make.create_issuing_ca(scope, root, name, *below)
    for issuer in (root, issuing):
        await _serve_status(platform, scope, issuer)
    return [root.id, issuing.id]


async def _serve_status(platform: Platform, scope: TenantScope, issuer: Issuer) -> None:
    await platform.hierarchy.renew_responder(scope, issuer)
    await platform.tenants.schedule(scope, issuer.id)
    await platform.crls.ensure_published(scope, issuer.id)


async def _main(data: Path, names: Sequence[str], token: Sequence[str]) -> None:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    nowhere = Address("127.0.0.1", 0)
    pkcs11 = Pkcs11Settings(token[0], token[1], Path(token[2])) if token else None
    settings = Settings(data, nowhere, nowhere, demo=True, pkcs11=pkcs11, disk_reserve=0)
    signer = SignerSupervisor(settings)
    await signer.start()
    platform = await compose(settings, "http://pki.example.test", signer.socket)
    try:
        await ensure_demo(platform, data)
        every = {**CLASSICAL, **POST_QUANTUM}
        made = {name: await _hierarchy(platform, name, every[name]) for name in names}
        for tenant, used in platform.serials.drain().items():
            await platform.issuance.settle_blocks(tenant, platform.node, used)
    finally:
        await platform.database.close()
        await platform.signer.close()
        await signer.stop()
    sys.stdout.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]))
