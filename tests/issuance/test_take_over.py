"""Taking over a CA: over crashes at every step, and what is refused on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from tegata.issuance.model import Issuer, LinkKind
from tegata.issuance.taken import NewTakeOver, TakeOver
from tegata.kernel.ids import TenantId
from tegata.kernel.problem import Problem, ProblemCode
from tegata.kernel.scope import platform_acts
from tegata.kernel.signing import KeyPurpose
from tegata.revocation.model import CrlKind, Status
from tests.fakes.world import BATCH, World, crash, every_port_call
from tests.pkix.keys import spki

DIGEST = bytes(32)
NOW = World().clock.now()
NUMBER = 41
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def a_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Elsewhere:
    """A CA that was run elsewhere."""

    def __init__(self, *, key: Key | None = None, ca: bool = True, days: int = 3650) -> None:
        self.key: Key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = a_name("Elsewhere")
        builder = self._builder(self.name, 1, days).public_key(self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
        self.der = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _builder(self, subject: x509.Name, serial: int, days: int) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .serial_number(serial)
            .not_valid_before(NOW - timedelta(days=60))
            .not_valid_after(NOW + timedelta(days=days))
        )

    def issue(self, serial: int, name: str = "", days: int = 90) -> bytes:
        names = x509.SubjectAlternativeName([x509.DNSName(name or f"n{serial:x}.example")])
        builder = self._builder(a_name(name or f"n{serial:x}"), serial, days)
        builder = builder.public_key(ec.generate_private_key(ec.SECP256R1()).public_key())
        builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def crl(
        self, *serials: int, number: int = NUMBER, key: Key | None = None, point: str | None = None
    ) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(NOW - timedelta(days=1))
            .next_update(NOW + timedelta(days=6))
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        if point is not None:
            idp = x509.IssuingDistributionPoint(
                full_name=[x509.UniformResourceIdentifier(point)],
                relative_name=None,
                only_contains_user_certs=False,
                only_contains_ca_certs=False,
                only_some_reasons=None,
                indirect_crl=False,
                only_contains_attribute_certs=False,
            )
            builder = builder.add_extension(idp, critical=True)
        for serial in serials:
            revoked = x509.RevokedCertificateBuilder().serial_number(serial)
            builder = builder.add_revoked_certificate(
                revoked.revocation_date(NOW - timedelta(days=2))
                .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False)
                .build()
            )
        return builder.sign(key or self.key, hashes.SHA256()).public_bytes(Encoding.DER)


OLD = Elsewhere()
ISSUED = [OLD.issue(serial) for serial in range(0x1000, 0x1000 + BATCH + 2)]
# The last of these was never handed in.
REVOKED = (0x1000, 0x1001, 0x9999)
GIVEN = NewTakeOver("Elsewhere", KeyPurpose.ISSUING_CA, (OLD.der,))


async def parts(*octets: bytes) -> AsyncIterator[bytes]:
    for each in octets:
        yield each


async def prepare(world: World) -> World:
    await world.open_tenant()
    world.signer.authorised[spki(OLD.key)] = OLD.key
    await world.restart()
    return world


async def a_world() -> World:
    return await prepare(World())


async def begin(world: World, new: NewTakeOver = GIVEN) -> TakeOver:
    return await world.take_overs.begin(world.scope, new, DIGEST)


async def hand_in(world: World) -> TakeOver:
    """Everything, from wherever an earlier run got to."""
    begun = await begin(world)
    adds, scope = world.take_overs, world.scope
    await adds.add_certificates(scope, begun.id, parts(b"".join(ISSUED)), "tls-server", DIGEST)
    return await adds.add_crl(scope, begun.id, OLD.crl(*REVOKED), DIGEST)


async def complete(world: World) -> Issuer:
    """Complete what was handed in."""
    (taken,) = await world.take_overs.list(world.scope)
    await world.take_over_work.complete(world.scope, taken.id, DIGEST)
    await world.take_over_work.run(world.scope, taken.id)
    return await world.store.get_issuer(world.scope, taken.id)


def the_issuer(world: World) -> list[Issuer]:
    return [each for each in world.tables.issuers.values() if each.name == "Elsewhere"]


async def require_taken(world: World) -> None:
    """Everything is there, once; it answers, lists and issues."""
    (issuer,) = the_issuer(world)
    tables = world.tables
    assert (tables.take_overs, tables.staged) == ({}, {})
    own = [each for each in tables.certificates.values() if each.issuer == issuer.id]
    taken = [each for each in own if (issuer.id, each.serial) in tables.foreign]
    assert sorted(each.der for each in taken) == sorted(ISSUED)
    assert len(tables.responders[issuer.id]) == 1
    for serial, status in (
        (0x1000, Status.REVOKED), (0x1002, Status.GOOD), (0x9999, Status.REVOKED),
        (0x8888, Status.UNKNOWN),
    ):  # fmt: skip
        found = await world.store.certificate_status(world.scope, issuer.id, serial)
        assert found.status is status
    crl = await world.crls.publish(world.scope, issuer.id)
    assert crl.number > NUMBER
    assert world.listed(crl) >= set(REVOKED)
    assert all(place[3] > NUMBER for place in tables.crls if place[0] == issuer.id)
    assert (issuer.id, 0, CrlKind.FULL) in {place[:3] for place in tables.crls}


async def hand_in_one(world: World) -> None:
    await prepare(world)
    world.arm()
    await hand_in(world)


async def complete_one(world: World) -> None:
    await prepare(world)
    await hand_in(world)
    world.arm()
    await complete(world)


async def cancel_one(world: World) -> None:
    await prepare(world)
    taken = await hand_in(world)
    world.arm()
    await world.take_over_work.cancel(world.scope, taken.id, DIGEST)


@pytest.mark.parametrize("crash_at", every_port_call(hand_in_one))
async def test_handing_in_goes_on_where_a_crash_left_it(crash_at: int) -> None:
    world = await crash(hand_in_one, crash_at)
    await world.restart()
    assert the_issuer(world) == []
    taken = await hand_in(world)
    assert (taken.certificates, taken.entries, taken.revoked) == (
        len(ISSUED), len(ISSUED) + 1, len(REVOKED),
    )  # fmt: skip
    assert len(world.tables.take_overs) == 1
    await complete(world)
    await require_taken(world)


@pytest.mark.parametrize("crash_at", every_port_call(complete_one))
async def test_a_crashed_completion_is_completed_and_nothing_is_recorded_twice(
    crash_at: int,
) -> None:
    world = await crash(complete_one, crash_at)
    await world.restart()
    # Until the last step there is no issuer; from it on there is a whole one in the timetable.
    for issuer in the_issuer(world):
        assert issuer.id in world.tables.wanted
        assert world.tables.take_overs == {}
    if world.tables.take_overs:
        await complete(world)
    else:
        (issuer,) = the_issuer(world)
        await world.take_over_work.run(world.scope, issuer.id)
    await require_taken(world)


@pytest.mark.parametrize("crash_at", every_port_call(cancel_one))
async def test_a_crashed_cancellation_leaves_all_or_nothing(crash_at: int) -> None:
    world = await crash(cancel_one, crash_at)
    await world.restart()
    for taken in await world.take_overs.list(world.scope):
        assert len(world.tables.staged) == taken.entries
        await world.take_over_work.cancel(world.scope, taken.id, DIGEST)
    tables = world.tables
    assert (tables.take_overs, tables.staged, tables.foreign) == ({}, {}, {})
    assert spki(OLD.key) not in {each.public_key for each in tables.signing_keys.values()}
    assert the_issuer(world) == []


async def refusal(awaitable: object) -> tuple[ProblemCode, str]:
    with pytest.raises(Problem) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.code, caught.value.detail


async def test_every_step_is_an_event() -> None:
    world = await a_world()
    await hand_in(world)
    await complete(world)
    acts = [event.action for _tenant, event in world.tables.events.values()]
    steps = [each.split(":")[2] for each in acts if each.startswith("issuance:take-over:")]
    assert steps == [
        "begin", "add-certificates", "add-certificates", "add-crl", "add-crl", "complete",
        "record", "record", "finish",
    ]  # fmt: skip


async def test_sending_the_same_again_changes_nothing() -> None:
    world = await a_world()
    first = await hand_in(world)
    again = await hand_in(world)
    assert (again.certificates, again.entries, again.revoked) == (
        first.certificates, first.entries, first.revoked,
    )  # fmt: skip


async def test_a_key_that_nobody_authorised_is_refused_and_leaves_nothing() -> None:
    world = await a_world()
    world.signer.authorised.clear()
    assert (await refusal(begin(world)))[0] is ProblemCode.KEY_NOT_AUTHORISED
    assert world.tables.take_overs == {}


@pytest.mark.parametrize(
    ("made", "code", "says"),
    [
        (Elsewhere(ca=False), ProblemCode.ISSUER_CERTIFICATE_REFUSED, "is a CA"),
        (Elsewhere(days=-1), ProblemCode.ISSUER_CERTIFICATE_REFUSED, "expired"),
        (
            Elsewhere(key=rsa.generate_private_key(65537, 1024)),
            ProblemCode.CSR_WEAK_KEY,
            "2048",
        ),
    ],
)
async def test_a_ca_that_cannot_go_on_is_refused(
    made: Elsewhere, code: ProblemCode, says: str
) -> None:
    world = await a_world()
    found = await refusal(begin(world, NewTakeOver("x", KeyPurpose.ISSUING_CA, (made.der,))))
    assert found[0] is code
    assert says in found[1]


async def test_a_subordinate_ca_is_taken_over_with_those_above_it() -> None:
    world = await a_world()
    key = ec.generate_private_key(ec.SECP256R1())
    builder = OLD._builder(a_name("Below"), 77, 900).public_key(key.public_key())
    builder = builder.add_extension(x509.BasicConstraints(True, 0), critical=True)
    der = builder.sign(OLD.key, hashes.SHA256()).public_bytes(Encoding.DER)
    world.signer.authorised[spki(key)] = key
    for chain, says in (((der,), "reach a root"), ((der, Elsewhere().der), "does not verify")):
        code, detail = await refusal(
            begin(world, NewTakeOver("Below", KeyPurpose.ISSUING_CA, chain))
        )
        assert code is ProblemCode.ISSUER_CERTIFICATE_REFUSED
        assert says in detail
    above = NewTakeOver("Below", KeyPurpose.SUBORDINATE_CA, (der, OLD.der))
    assert "leaves no room" in (await refusal(begin(world, above)))[1]
    begun = await begin(world, NewTakeOver("Below", KeyPurpose.ISSUING_CA, (der, OLD.der), None, 3))
    index = b"V\t271123035008Z\t\t1000\tunknown\t/CN=x\n"
    await world.take_overs.add_index(world.scope, begun.id, parts(index), DIGEST)
    issuer = await complete(world)
    assert issuer.chain == (der, OLD.der)
    assert [each for owner, each, _place in world.tables.issuer_certificates] == [LinkKind.ABOVE]


async def test_a_ca_that_is_here_is_not_taken_over_again() -> None:
    world = await a_world()
    await hand_in(world)
    other = NewTakeOver("Another name", KeyPurpose.ISSUING_CA, (OLD.der,))
    assert (await refusal(begin(world, other)))[0] is ProblemCode.ISSUER_EXISTS
    await complete(world)
    assert (await refusal(begin(world, other)))[0] is ProblemCode.ISSUER_EXISTS


async def test_a_name_that_is_in_use_is_refused() -> None:
    world = await a_world()
    taken = NewTakeOver(world.issuer().name, KeyPurpose.ISSUING_CA, (OLD.der,))
    assert (await refusal(begin(world, taken)))[0] is ProblemCode.ISSUER_EXISTS


async def test_a_certificate_of_another_ca_is_named_by_its_place() -> None:
    world = await a_world()
    begun = await begin(world)
    stranger = Elsewhere()
    file = parts(ISSUED[0] + stranger.issue(7))
    adding = world.take_overs.add_certificates(world.scope, begun.id, file, "x", DIGEST)
    code, detail = await refusal(adding)
    assert code is ProblemCode.TAKE_OVER_REFUSED
    assert detail.startswith("certificate 2 of the file: the signature")


async def test_a_file_without_a_certificate_is_refused() -> None:
    world = await a_world()
    begun = await begin(world)
    adds = world.take_overs.add_certificates
    refused = await refusal(adds(world.scope, begun.id, parts(b"a letter"), "x", DIGEST))
    assert refused == (ProblemCode.TAKE_OVER_REFUSED, "the file has no certificate")


async def test_two_certificates_of_one_serial_are_refused() -> None:
    world = await a_world()
    begun = await begin(world)
    adds = world.take_overs.add_certificates
    await adds(world.scope, begun.id, parts(OLD.issue(6)), "x", DIGEST)
    for file in (OLD.issue(5) + OLD.issue(5), OLD.issue(6)):
        code, detail = await refusal(adds(world.scope, begun.id, parts(file), "x", DIGEST))
        assert code is ProblemCode.TAKE_OVER_REFUSED
        assert "have the serial number" in detail
    assert [each.serial for each in world.tables.staged.values()] == [6]


async def test_a_list_that_the_ca_did_not_sign_is_refused() -> None:
    world = await a_world()
    begun = await begin(world)
    forged = OLD.crl(1, key=ec.generate_private_key(ec.SECP256R1()))
    code, detail = await refusal(world.take_overs.add_crl(world.scope, begun.id, forged, DIGEST))
    assert (code, "not signed by this CA" in detail) == (ProblemCode.TAKE_OVER_REFUSED, True)


async def test_a_crl_number_does_not_go_back() -> None:
    world = await a_world()
    begun = await begin(world, NewTakeOver("x", KeyPurpose.ISSUING_CA, (OLD.der,), None, 50))
    adding = world.take_overs.add_crl(world.scope, begun.id, OLD.crl(number=49), DIGEST)
    code, detail = await refusal(adding)
    assert (code, "would go back" in detail) == (ProblemCode.TAKE_OVER_REFUSED, True)
    assert not (await world.take_overs.get(world.scope, begun.id)).told


async def test_lists_of_two_distribution_points_are_refused() -> None:
    world = await a_world()
    begun = await begin(world)
    first, second = (OLD.crl(point=f"http://a.example/{each}.crl") for each in "ab")
    await world.take_overs.add_crl(world.scope, begun.id, first, DIGEST)
    adding = world.take_overs.add_crl(world.scope, begun.id, second, DIGEST)
    assert (await refusal(adding))[0] is ProblemCode.TAKE_OVER_REFUSED


async def test_nothing_is_completed_before_it_is_known_what_is_revoked() -> None:
    world = await a_world()
    begun = await begin(world)
    completing = world.take_over_work.complete(world.scope, begun.id, DIGEST)
    assert (await refusal(completing))[0] is ProblemCode.TAKE_OVER_REFUSED
    index = b"V\t271123035008Z\t\t1000\tunknown\t/CN=x\n"
    await world.take_overs.add_index(world.scope, begun.id, parts(index), DIGEST)
    completing = world.take_over_work.complete(world.scope, begun.id, DIGEST)
    code, detail = await refusal(completing)
    assert (code, "CRL number" in detail) == (ProblemCode.TAKE_OVER_REFUSED, True)


async def test_an_index_that_broke_off_must_come_again() -> None:
    world = await a_world()
    await hand_in(world)
    (taken,) = await world.take_overs.list(world.scope)
    lines = [b"V\t271123035008Z\t\t%x\tunknown\t/CN=x\n" % n for n in range(1, BATCH + 2)]

    async def adding(*octets: bytes) -> TakeOver:
        return await world.take_overs.add_index(world.scope, taken.id, parts(*octets), DIGEST)

    assert (await refusal(adding(*lines, b"torn")))[0] is ProblemCode.TAKE_OVER_REFUSED
    completing = world.take_over_work.complete(world.scope, taken.id, DIGEST)
    assert (await refusal(completing))[0] is ProblemCode.TAKE_OVER_REFUSED
    assert (await adding(*lines)).told
    await complete(world)


async def test_what_is_being_completed_takes_nothing_more_and_is_not_cancelled() -> None:
    world = await a_world()
    taken = await hand_in(world)
    await world.take_over_work.complete(world.scope, taken.id, DIGEST)
    adding = world.take_overs.add_crl(world.scope, taken.id, OLD.crl(), DIGEST)
    assert (await refusal(adding))[0] is ProblemCode.CONFLICT
    cancelling = world.take_over_work.cancel(world.scope, taken.id, DIGEST)
    assert (await refusal(cancelling))[0] is ProblemCode.CONFLICT


async def test_another_tenant_does_not_see_it() -> None:
    world = await a_world()
    taken = await hand_in(world)
    other = platform_acts(TenantId("ten_kitsune"), "test")
    assert await world.take_overs.list(other) == []
    assert (await refusal(world.take_overs.get(other, taken.id)))[0] is (
        ProblemCode.TAKE_OVER_UNKNOWN
    )


async def test_a_key_revoked_for_compromise_is_refused_from_then_on() -> None:
    world = await a_world()
    await hand_in(world)
    await complete(world)
    certificate = x509.load_der_x509_certificate(ISSUED[0])
    digests = {place[1] for place in world.tables.refused_keys}
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki_of(certificate))
    assert digest.finalize() in digests


def spki_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
