"""Hierarchies of every algorithm: what signs what, and what a crash or a refusal leaves."""

from __future__ import annotations

import pytest

from tegata.issuance.model import Issuer
from tegata.issuance.rules import responder_algorithm
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.signing import (
    SIGNATURE_ALGORITHMS,
    KeyAlgorithm,
    KeyPurpose,
    SignatureAlgorithm,
)
from tegata.pkix.algorithms import algorithm_identifier
from tegata.pkix.certificate import parse_certificate
from tegata.pkix.signatures import verify_certificate, verify_crl
from tests.fakes.world import World, crash, every_port_call

POST_QUANTUM = (KeyAlgorithm.ML_DSA_44, KeyAlgorithm.ML_DSA_65, KeyAlgorithm.ML_DSA_87)
NAME = "Tanuki"


async def hierarchy(
    world: World,
    root: KeyAlgorithm,
    issuing: KeyAlgorithm,
    signature: SignatureAlgorithm | None = None,
) -> tuple[Issuer, Issuer]:
    """Make a root, and an issuing CA below it, with responders."""
    top = await world.hierarchy.create_root(world.scope, NAME, root, signature)
    below = await world.hierarchy.create_issuing_ca(world.scope, top, NAME, issuing)
    for issuer in (top, below):
        await world.hierarchy.renew_responder(world.scope, issuer)
    return top, below


@pytest.mark.parametrize("algorithm", KeyAlgorithm)
async def test_a_hierarchy_of_an_algorithm_signs_with_it(algorithm: KeyAlgorithm) -> None:
    world = World()
    root, issuing = await hierarchy(world, algorithm, algorithm)
    signature = SIGNATURE_ALGORITHMS[algorithm][0]
    for issuer, above in ((root, root), (issuing, root)):
        assert issuer.key.algorithm is algorithm
        assert issuer.key.signature_algorithm is issuer.facts.signature_algorithm is signature
        verify_certificate(issuer.certificate, above.key.public_key)
        outer = parse_certificate(issuer.certificate).algorithm
        assert outer == algorithm_identifier(signature)
    crl = await world.crls.publish(world.scope, issuing.id)
    verify_crl(crl.der, issuing.key.public_key)


@pytest.mark.parametrize("signature", SIGNATURE_ALGORITHMS[KeyAlgorithm.RSA_2048])
async def test_an_rsa_ca_signs_as_was_chosen_when_its_key_was_made(
    signature: SignatureAlgorithm,
) -> None:
    world = World()
    root, issuing = await hierarchy(world, KeyAlgorithm.RSA_2048, KeyAlgorithm.P384, signature)
    assert root.key.signature_algorithm is signature
    # An issuing CA's certificate is signed as its parent signs, whatever its own key does.
    assert parse_certificate(issuing.certificate).algorithm == algorithm_identifier(signature)
    assert issuing.key.signature_algorithm is SignatureAlgorithm.ECDSA_SHA384


@pytest.mark.parametrize("algorithm", KeyAlgorithm)
async def test_a_responder_is_p256_or_as_post_quantum_as_its_issuer(
    algorithm: KeyAlgorithm,
) -> None:
    world = World()
    _root, issuing = await hierarchy(world, KeyAlgorithm.P256, algorithm)
    (responder,) = world.tables.responders[issuing.id]
    expected = algorithm if algorithm in POST_QUANTUM else KeyAlgorithm.P256
    assert responder.key.algorithm is responder_algorithm(algorithm) is expected
    verify_certificate(responder.certificate, issuing.key.public_key)


@pytest.mark.parametrize(
    ("algorithm", "signature"),
    [
        (KeyAlgorithm.P256, SignatureAlgorithm.ECDSA_SHA384),
        (KeyAlgorithm.P521, SignatureAlgorithm.RSA_PSS_SHA512),
        (KeyAlgorithm.RSA_4096, SignatureAlgorithm.ECDSA_SHA256),
        (KeyAlgorithm.ML_DSA_44, SignatureAlgorithm.ML_DSA_65),
    ],
)
async def test_algorithms_that_do_not_go_together_make_nothing(
    algorithm: KeyAlgorithm, signature: SignatureAlgorithm
) -> None:
    world = World()
    with pytest.raises(Problem) as refused:
        await world.hierarchy.create_root(world.scope, NAME, algorithm, signature)
    assert refused.value.code is ProblemCode.KEY_ALGORITHM_REFUSED
    assert not world.signer.keys
    assert not world.tables.issuers


async def make_a_post_quantum_root(world: World) -> None:
    await world.open_tenant()
    world.arm()
    await world.hierarchy.create_root(world.scope, NAME, KeyAlgorithm.ML_DSA_65)


@pytest.mark.parametrize("crash_at", every_port_call(make_a_post_quantum_root))
async def test_a_crash_leaves_a_post_quantum_root_whole_or_not_at_all(crash_at: int) -> None:
    world = await crash(make_a_post_quantum_root, crash_at)
    world.require_invariants()
    for issuer in world.tables.issuers.values():
        if issuer.parent is None:
            verify_certificate(issuer.certificate, issuer.key.public_key)
        assert issuer.key.id in world.tables.signing_keys
    await world.restart()
    await world.require_settled()
    root = await world.hierarchy.create_root(world.scope, NAME, KeyAlgorithm.ML_DSA_65)
    assert root.key.purpose is KeyPurpose.ROOT_CA
    world.require_invariants()
