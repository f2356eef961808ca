"""Authorities: made, re-keyed and installed over crashes, stopped, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tegata.issuance.authorities import issuer_stop, platform_stop, tenant_stop
from tegata.issuance.model import Issuer, LinkKind, NewAuthority, PendingAuthority, StopCause
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import PLATFORM_TENANT, platform_acts
from tegata.kernel.signing import KeyAlgorithm, KeyPurpose
from tegata.pkix import oids
from tegata.pkix.name_constraints import constraint_base
from tegata.pkix.names import encode_name
from tegata.pkix.policy_extensions import NameConstraints
from tegata.profiles.authority import AuthorityBounds
from tests.fakes.world import World, crash, every_port_call

DIGEST = bytes(32)
OURS = "External Issuing"
WORLD_NOW = World().clock.now()


def an_authority(
    name: str, purpose: KeyPurpose, bounds: AuthorityBounds | None = None
) -> NewAuthority:
    subject = encode_name([(oids.COMMON_NAME, name)])
    return NewAuthority(name, purpose, subject, bounds=bounds)


def within(*bases: str) -> AuthorityBounds:
    permitted = tuple(constraint_base("dns", base) for base in bases)
    return AuthorityBounds(constraints=NameConstraints(permitted))


ROOT = an_authority("Own Root", KeyPurpose.ROOT_CA, AuthorityBounds(path_length=2))


def named(world: World, name: str) -> list[Issuer]:
    return [each for each in world.tables.issuers.values() if each.name == name]


def require_whole(world: World, issuer: Issuer) -> None:
    assert len(world.tables.responders[issuer.id]) == 1
    assert [place for place in world.tables.crls if place[0] == issuer.id]
    assert issuer.id in world.tables.wanted


async def create_one(world: World) -> None:
    await world.open_tenant()
    await world.restart()
    world.arm()
    await world.authorities.create(world.scope, None, ROOT, DIGEST)


@pytest.mark.parametrize("crash_at", every_port_call(create_one))
async def test_a_crashed_creation_is_completed_by_asking_again(crash_at: int) -> None:
    world = await crash(create_one, crash_at)
    await world.restart()
    await world.require_settled()
    created = await world.authorities.create(world.scope, None, ROOT, DIGEST)
    assert named(world, "Own Root") == [created]
    require_whole(world, created)


async def rekey_one(world: World) -> None:
    await world.open_tenant()
    await world.restart()
    world.arm()
    await world.authorities.rekey(world.scope, world.issuer(KeyPurpose.ROOT_CA).id, DIGEST)


@pytest.mark.parametrize("crash_at", every_port_call(rekey_one))
async def test_a_crashed_rekey_has_one_new_generation_when_asked_again(crash_at: int) -> None:
    world = await crash(rekey_one, crash_at)
    await world.restart()
    await world.require_settled()
    old = next(each for each in world.tables.issuers.values() if each.parent is None)
    await world.authorities.refresh()
    new = await world.authorities.rekey(world.scope, old.id, DIGEST)
    assert isinstance(new, Issuer)
    assert [each.id for each in world.tables.issuers.values() if each.predecessor == old.id] == [
        new.id
    ]
    require_whole(world, new)
    links = {kind for owner, kind, _place in world.tables.issuer_certificates if owner == new.id}
    assert links == {LinkKind.NEW_WITH_OLD, LinkKind.OLD_WITH_NEW}
    assert world.authorities.state(old) == "retired"


class Elsewhere:
    """A CA that somebody else runs."""

    def __init__(self, path_length: int | None = None, now: datetime = WORLD_NOW) -> None:
        self.now = now
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Elsewhere Root")])
        own = self._builder(self.name, self.key.public_key(), 3650)
        own = own.add_extension(x509.BasicConstraints(True, path_length), True)
        own = own.add_extension(_usage(), True)
        self.der = own.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: int
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(days=30))
            .not_valid_after(self.now + timedelta(days=days))
        )

    def certify(
        self,
        pending: PendingAuthority,
        *,
        days: int = 1000,
        ca: bool = True,
        key: ec.EllipticCurvePublicKey | None = None,
        subject: x509.Name | None = None,
    ) -> bytes:
        """A certificate for a request, as it asks or (to be refused) otherwise."""
        request = x509.load_der_x509_csr(pending.request)
        public = request.public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        builder = self._builder(subject or request.subject, key or public, days)
        for extension in request.extensions:
            if isinstance(extension.value, x509.BasicConstraints):
                value = x509.BasicConstraints(ca, 0 if ca else None)
                builder = builder.add_extension(value, True)
            else:
                builder = builder.add_extension(extension.value, extension.critical)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(False, False, False, False, False, True, True, False, False)


async def a_pending(world: World, purpose: KeyPurpose = KeyPurpose.ISSUING_CA) -> PendingAuthority:
    await world.open_tenant()
    return await world.authorities.request(world.scope, an_authority(OURS, purpose), DIGEST)


async def request_and_install(world: World) -> None:
    await world.open_tenant()
    await world.restart()
    world.arm()
    await install_all(world)


async def install_all(world: World) -> Issuer:
    elsewhere = Elsewhere()
    new = an_authority(OURS, KeyPurpose.ISSUING_CA)
    installed = named(world, OURS)
    if installed:
        chain = installed[0].chain
        return await world.authorities.install(world.scope, installed[0].id, chain, DIGEST)
    pending = await world.authorities.request(world.scope, new, DIGEST)
    chain = (elsewhere.certify(pending), elsewhere.der)
    return await world.authorities.install(world.scope, pending.id, chain, DIGEST)


@pytest.mark.parametrize("crash_at", every_port_call(request_and_install))
async def test_a_crashed_request_or_installation_is_completed_by_asking_again(
    crash_at: int,
) -> None:
    world = await crash(request_and_install, crash_at)
    await world.restart()
    await world.require_settled()
    installed = await install_all(world)
    assert named(world, OURS) == [installed]
    assert world.tables.pending == {}
    require_whole(world, installed)


async def rekey_external(world: World) -> Issuer:
    """The next generation of a CA that is certified elsewhere, from wherever it got stuck."""
    old = next(each for each in named(world, OURS))
    waiting = await world.authorities.rekey(world.scope, old.id, DIGEST)
    if isinstance(waiting, PendingAuthority):
        assert world.authorities.state(old) == "active"
        elsewhere = Elsewhere()
        chain = (elsewhere.certify(waiting), elsewhere.der)
        return await world.authorities.install(world.scope, waiting.id, chain, DIGEST)
    return waiting


async def install_then_rekey(world: World) -> None:
    await world.open_tenant()
    await install_all(world)
    await world.restart()
    world.arm()
    await rekey_external(world)


@pytest.mark.parametrize("crash_at", every_port_call(install_then_rekey))
async def test_a_crashed_rekey_of_an_external_ca_has_one_new_generation(crash_at: int) -> None:
    world = await crash(install_then_rekey, crash_at)
    await world.restart()
    await world.require_settled()
    (old,) = named(world, OURS)
    await world.authorities.refresh()
    new = await rekey_external(world)
    assert (new.predecessor, new.name) == (old.id, f"{OURS} #2")
    assert (new.facts.subject, new.key.algorithm) == (old.facts.subject, old.key.algorithm)
    assert new.key.public_key != old.key.public_key
    generations = [each for each in world.tables.issuers.values() if each.predecessor == old.id]
    assert generations == [new]
    assert world.tables.pending == {}
    assert (world.authorities.state(old), world.authorities.state(new)) == ("retired", "active")
    require_whole(world, new)
    assert await rekey_external(world) == new


async def test_an_external_ca_issues_until_its_next_generation_is_certified() -> None:
    world = World()
    await world.open_tenant()
    old = await install_all(world)
    waiting = await world.authorities.rekey(world.scope, old.id, DIGEST, KeyAlgorithm.P384)
    assert isinstance(waiting, PendingAuthority)
    assert (waiting.predecessor, waiting.key.algorithm) == (old.id, KeyAlgorithm.P384)
    assert await world.authorities.rekey(world.scope, old.id, DIGEST) == waiting
    assert await refused(world, waiting, *old.chain) == "the certificate is for another key"
    assert world.authorities.state(old) == "active"


async def refused(world: World, pending: PendingAuthority, *chain: bytes) -> str:
    with pytest.raises(Problem) as caught:
        await world.authorities.install(world.scope, pending.id, chain, DIGEST)
    assert caught.value.code is ProblemCode.ISSUER_CERTIFICATE_REFUSED
    assert pending.id in world.tables.pending
    assert pending.id not in world.tables.issuers
    return caught.value.detail


async def test_a_certificate_for_another_key_is_not_installed() -> None:
    world, elsewhere = World(), Elsewhere()
    pending = await a_pending(world)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    detail = await refused(world, pending, elsewhere.certify(pending, key=other), elsewhere.der)
    assert "another key" in detail


async def test_a_certificate_with_another_subject_is_not_installed() -> None:
    world, elsewhere = World(), Elsewhere()
    pending = await a_pending(world)
    other = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Somebody")])
    der = elsewhere.certify(pending, subject=other)
    assert "another subject" in await refused(world, pending, der, elsewhere.der)


async def test_an_expired_certificate_is_not_installed() -> None:
    world, elsewhere = World(), Elsewhere()
    pending = await a_pending(world)
    der = elsewhere.certify(pending, days=-1)
    assert "expired" in await refused(world, pending, der, elsewhere.der)


async def test_a_certificate_that_makes_no_ca_is_not_installed() -> None:
    world, elsewhere = World(), Elsewhere()
    pending = await a_pending(world)
    der = elsewhere.certify(pending, ca=False)
    assert "basicConstraints" in await refused(world, pending, der, elsewhere.der)


async def test_a_certificate_beyond_its_issuers_path_length_is_not_installed() -> None:
    world, elsewhere = World(), Elsewhere(path_length=0)
    pending = await a_pending(world)
    der = elsewhere.certify(pending)
    assert "longer than" in await refused(world, pending, der, elsewhere.der)


async def test_a_subordinate_needs_room_for_a_ca_below() -> None:
    world, elsewhere = World(), Elsewhere()
    pending = await a_pending(world, KeyPurpose.SUBORDINATE_CA)
    der = elsewhere.certify(pending)
    assert "no room" in await refused(world, pending, der, elsewhere.der)


async def test_a_chain_that_does_not_verify_is_not_installed() -> None:
    world, elsewhere = World(), Elsewhere()
    pending = await a_pending(world)
    der = elsewhere.certify(pending)
    assert "root" in await refused(world, pending, der)
    forged = Elsewhere()
    assert "signature" in await refused(world, pending, der, forged.der)
    assert "1 to" in await refused(world, pending, *([der] * 11))
    assert "read" in await refused(world, pending, der[:-1], elsewhere.der)


async def test_the_same_name_for_another_issuer_is_refused() -> None:
    world = World()
    await world.open_tenant()
    await world.authorities.create(world.scope, None, ROOT, DIGEST)
    other = an_authority("Own Root", KeyPurpose.ROOT_CA, AuthorityBounds(path_length=1))
    with pytest.raises(Problem) as caught:
        await world.authorities.create(world.scope, None, other, DIGEST)
    assert caught.value.code is ProblemCode.ISSUER_EXISTS


@pytest.mark.parametrize(
    ("parent", "new"),
    [
        ("none", an_authority("x", KeyPurpose.ISSUING_CA)),
        ("root", an_authority("x", KeyPurpose.ROOT_CA)),
        ("issuing", an_authority("x", KeyPurpose.ISSUING_CA)),
        ("root", an_authority("x", KeyPurpose.ISSUING_CA, AuthorityBounds(path_length=1))),
        ("root", an_authority("x", KeyPurpose.SUBORDINATE_CA, AuthorityBounds(path_length=0))),
    ],
)
async def test_a_place_that_a_ca_cannot_have_is_refused(parent: str, new: NewAuthority) -> None:
    world = World()
    await world.open_tenant()
    purposes = {"root": KeyPurpose.ROOT_CA, "issuing": KeyPurpose.ISSUING_CA}
    above = world.issuer(purposes[parent]).id if parent in purposes else None
    with pytest.raises(Problem) as caught:
        await world.authorities.create(world.scope, above, new, DIGEST)
    assert caught.value.code is ProblemCode.REQUEST_MALFORMED


async def test_a_ca_is_not_deeper_than_its_path_allows_and_does_not_widen_names() -> None:
    world = World()
    await world.open_tenant()
    create, scope = world.authorities.create, world.scope
    root = await create(scope, None, ROOT, DIGEST)
    first = an_authority("First", KeyPurpose.SUBORDINATE_CA, within("example.co.jp"))
    middle = await create(scope, root.id, first, DIGEST)
    assert middle.facts.path_length == 1
    for wrong in (
        an_authority("Wide", KeyPurpose.ISSUING_CA, within("example.com")),
        an_authority("Deep", KeyPurpose.SUBORDINATE_CA, AuthorityBounds(path_length=1)),
    ):
        with pytest.raises(Problem) as caught:
            await create(scope, middle.id, wrong, DIGEST)
        assert caught.value.code is ProblemCode.LINT_REFUSED
    below = an_authority("Below", KeyPurpose.ISSUING_CA, within("a.example.co.jp"))
    lowest = await create(scope, middle.id, below, DIGEST)
    assert len(lowest.facts.constraints) == 2
    assert lowest.ancestors == (middle.id, root.id)


async def test_what_is_stopped_issues_nothing_until_it_is_resumed() -> None:
    world = World()
    issuing = await world.open_tenant()
    operator = platform_acts(PLATFORM_TENANT, "test")
    for scope, stop in (
        (world.scope, issuer_stop(world.scope, issuing.id)),
        (world.scope, issuer_stop(world.scope, issuing.id, StopCause.DISABLED)),
        (world.scope, tenant_stop(world.scope, world.scope.tenant)),
        (operator, tenant_stop(operator, world.scope.tenant)),
        (operator, platform_stop()),
    ):
        await world.authorities.stop(scope, stop, DIGEST)
        await world.authorities.stop(scope, stop, DIGEST)
        with pytest.raises(Problem) as caught:
            await world.issue()
        assert caught.value.code in (ProblemCode.ISSUANCE_STOPPED, ProblemCode.ISSUER_INACTIVE)
        # Status goes on.
        await world.hierarchy.renew_responder(world.scope, issuing)
        await world.publish()
        await world.authorities.resume(scope, stop, DIGEST)
        await world.authorities.resume(scope, stop, DIGEST)
        await world.issue()


async def test_an_issuer_below_a_revoked_one_issues_nothing() -> None:
    world = World()
    issuing = await world.open_tenant()
    root = world.issuer(KeyPurpose.ROOT_CA)
    await world.authorities.stop_revoked(world.scope, root.certificate, DIGEST)
    with pytest.raises(Problem) as caught:
        world.gate.require_open(_below(issuing, root), datetime(2026, 7, 15, tzinfo=UTC))
    assert caught.value.code is ProblemCode.ISSUER_INACTIVE


def _below(issuing: Issuer, root: Issuer) -> Issuer:
    assert issuing.ancestors == (root.id,)
    return issuing


async def test_an_expired_issuer_issues_nothing() -> None:
    world = World()
    issuing = await world.open_tenant()
    assert issuing.facts.not_after is not None
    with pytest.raises(Problem, match="expired"):
        world.gate.require_open(issuing, issuing.facts.not_after + timedelta(seconds=1))
