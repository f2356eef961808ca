"""The stand-in of J-LIS: status, lists, links, consents, faults, over the port and over HTTP."""

import dataclasses
import http.client
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from tegata.identity.jlis import (
    CONTRACT_VERSION,
    CertificateKind,
    CertificateReference,
    ConsentState,
    GatewayCause,
    GatewayError,
    LegalPurpose,
    SignedConsent,
)
from tegata.pkix.crl import RevocationReason
from tegata.pkix.intent import Intent, IntentPurpose, document_digest, encode_intent
from tegata.sandbox.authority import CrlFault, OcspFault
from tegata.sandbox.gateway import SandboxGateway
from tegata.sandbox.hierarchy import Root
from tegata.sandbox.keys import SandboxError
from tegata.sandbox.people import PEOPLE, Kind
from tegata.sandbox.personas import Held, Sandbox
from tegata.sandbox.wire import JLisServer
from tests.components import require
from tests.fakes.system import FakeClock

STATUS = LegalPurpose.CURRENT_STATUS
CONSENT_TEXT = "最新の基本4情報の提供に同意します。".encode()


def held(sandbox: Sandbox, name: str, kind: Kind = Kind.SIGN) -> Held:
    found = sandbox.persona(name).held(kind)
    assert found is not None
    return found


def question(
    certificate: x509.Certificate, root: Root, algorithm: hashes.HashAlgorithm, nonce: bytes = b""
) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, root.certificate, algorithm)
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def asked(sandbox: Sandbox, one: Held, nonce: bytes = b"") -> ocsp.OCSPResponse:
    request = question(one.certificate, one.root, hashes.SHA256(), nonce)
    return ocsp.load_der_ocsp_response(sandbox.jlis.ocsp(request))


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()])
def test_a_good_certificate_is_good_under_either_hash(
    sandbox: Sandbox, algorithm: hashes.HashAlgorithm
) -> None:
    one = held(sandbox, "ordinary")
    request = question(one.certificate, one.root, algorithm)
    response = ocsp.load_der_ocsp_response(sandbox.jlis.ocsp(request))
    assert response.certificate_status is ocsp.OCSPCertStatus.GOOD


def test_a_nonce_is_given_back(sandbox: Sandbox) -> None:
    response = asked(sandbox, held(sandbox, "ordinary"), b"n" * 32)
    nonce = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    assert nonce.endswith(b"n" * 32)


def test_the_responder_is_delegated_by_the_root_that_issued(sandbox: Sandbox) -> None:
    one = held(sandbox, "ordinary")
    response = asked(sandbox, one)
    (responder,) = response.certificates
    responder.verify_directly_issued_by(one.root.certificate)


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("moved", Kind.SIGN, x509.ReasonFlags.affiliation_changed),
        ("married", Kind.SIGN, x509.ReasonFlags.affiliation_changed),
        ("died", Kind.AUTH, x509.ReasonFlags.cessation_of_operation),
        ("on-hold", Kind.SIGN, x509.ReasonFlags.certificate_hold),
        ("revoked", Kind.AUTH, x509.ReasonFlags.key_compromise),
    ],
)
def test_what_became_of_a_persona_shows_in_its_status(
    sandbox: Sandbox, name: str, kind: Kind, reason: x509.ReasonFlags
) -> None:
    response = asked(sandbox, held(sandbox, name, kind))
    assert response.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert response.revocation_reason is reason


@pytest.mark.parametrize("name", ["moved", "married"])
def test_a_change_of_the_record_leaves_the_user_authentication_certificate(
    sandbox: Sandbox, name: str
) -> None:
    response = asked(sandbox, held(sandbox, name, Kind.AUTH))
    assert response.certificate_status is ocsp.OCSPCertStatus.GOOD


def test_an_old_certificate_is_superseded(sandbox: Sandbox) -> None:
    old = sandbox.persona("renewed-twice").sign[1]
    response = asked(sandbox, old)
    assert response.revocation_reason is x509.ReasonFlags.superseded


def test_nobody_answers_for_a_generation_that_has_ended(sandbox: Sandbox) -> None:
    oldest = sandbox.persona("renewed-twice").sign[0]
    response = asked(sandbox, oldest)
    assert response.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_a_serial_of_another_generation_is_unknown(sandbox: Sandbox) -> None:
    one = held(sandbox, "wrong-generation")
    signer = sandbox.hierarchy.root(Kind.SIGN, "03")
    request = question(one.certificate, signer, hashes.SHA256())
    response = ocsp.load_der_ocsp_response(sandbox.jlis.ocsp(request))
    assert response.certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def test_planted_faults_show(living: Sandbox) -> None:
    one = held(living, "ordinary")
    living.jlis.plant(ocsp=OcspFault.TRY_LATER)
    assert asked(living, one).response_status is ocsp.OCSPResponseStatus.TRY_LATER
    living.jlis.plant(ocsp=OcspFault.UNKNOWN)
    assert asked(living, one).certificate_status is ocsp.OCSPCertStatus.UNKNOWN
    living.jlis.plant(ocsp=OcspFault.STALE)
    until = asked(living, one).next_update_utc
    assert until is not None
    assert until < FakeClock().now()
    living.jlis.plant()
    assert asked(living, one).certificate_status is ocsp.OCSPCertStatus.GOOD


@pytest.mark.parametrize("octets", [b"", b"\x30\x00", b"\xff" * 100])
def test_what_is_no_request_is_malformed(sandbox: Sandbox, octets: bytes) -> None:
    response = ocsp.load_der_ocsp_response(sandbox.jlis.ocsp(octets))
    assert response.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def crl(sandbox: Sandbox, code: str, generation: str = "03") -> x509.CertificateRevocationList:
    return x509.load_der_x509_crl(sandbox.jlis.crl(Kind.SIGN, generation, code))


def test_lists_are_parted_by_municipality(sandbox: Sandbox) -> None:
    kiyose = {each.serial_number for each in crl(sandbox, "13221")}
    suita = {each.serial_number for each in crl(sandbox, "27205")}
    assert held(sandbox, "moved").serial in kiyose - suita
    assert held(sandbox, "on-hold").serial in suita - kiyose


def test_a_list_names_its_municipality_and_its_key(sandbox: Sandbox) -> None:
    listed = crl(sandbox, "13221")
    root = sandbox.hierarchy.root(Kind.SIGN, "03")
    assert listed.is_signature_valid(root.key.public_key())
    point = listed.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    own = held(sandbox, "ordinary").certificate.extensions.get_extension_for_class(
        x509.CRLDistributionPoints
    )
    assert point.critical
    assert point.value.full_name == own.value[0].full_name


def test_a_revocation_is_listed_the_same_day_under_a_higher_number(
    living: Sandbox, clock: FakeClock
) -> None:
    one = held(living, "ordinary")
    before = crl(living, "13221")
    clock.advance(timedelta(minutes=5))
    living.jlis.revoke(Kind.SIGN, one.serial, RevocationReason.KEY_COMPROMISE)
    after = crl(living, "13221")
    assert before.get_revoked_certificate_by_serial_number(one.serial) is None
    assert after.get_revoked_certificate_by_serial_number(one.serial) is not None
    numbers = [
        each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for each in (before, after)
    ]
    assert numbers[0] < numbers[1]
    assert asked(living, one).certificate_status is ocsp.OCSPCertStatus.REVOKED


def test_a_gap_is_one_municipalitys(living: Sandbox) -> None:
    living.jlis.plant(crl=CrlFault.GAP, city="Suita-shi")
    with pytest.raises(SandboxError, match="to be had"):
        crl(living, "27205")
    assert len(crl(living, "13221"))


def test_a_stale_list_lacks_what_came_after(living: Sandbox, clock: FakeClock) -> None:
    living.jlis.revoke(Kind.SIGN, held(living, "ordinary").serial, RevocationReason.KEY_COMPROMISE)
    living.jlis.plant(crl=CrlFault.STALE)
    stale = crl(living, "13221")
    assert stale.next_update_utc is not None
    assert stale.next_update_utc < clock.now()
    assert stale.get_revoked_certificate_by_serial_number(held(living, "ordinary").serial) is None


@pytest.mark.parametrize(("generation", "code"), [("04", "13221"), ("03", "99999"), ("03", "")])
def test_a_list_that_does_not_exist_is_not_made_up(
    sandbox: Sandbox, generation: str, code: str
) -> None:
    with pytest.raises(SandboxError):
        sandbox.jlis.crl(Kind.SIGN, generation, code)


def test_an_unknown_serial_is_not_revoked(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError):
        sandbox.jlis.revoke(Kind.SIGN, 12345, RevocationReason.KEY_COMPROMISE)


# --------------------------------------------------------------------------- the port


@pytest.fixture
def gateway(living: Sandbox, clock: FakeClock) -> SandboxGateway:
    return SandboxGateway(living, clock)


def reference(one: Held) -> CertificateReference:
    kind = CertificateKind.SIGN if one.kind is Kind.SIGN else CertificateKind.AUTH
    return CertificateReference(kind, one.root.key_identifier, one.serial)


def consent(one: Held, text: bytes = CONSENT_TEXT) -> SignedConsent:
    intent = encode_intent(
        Intent(
            IntentPurpose.SIGN,
            "みなと銀行",
            "https://bank.example.test",
            "ids_consent",
            bytes(32),
            document_digest(CONSENT_TEXT),
        )
    )
    return SignedConsent(text, intent, one.sign(intent), one.der)


def test_the_gateway_keeps_the_contract_that_is_in_force(gateway: SandboxGateway) -> None:
    assert gateway.contract_version == CONTRACT_VERSION


def test_every_generation_is_pinned_and_the_forged_one_is_not(gateway: SandboxGateway) -> None:
    pinned = {der for every in gateway.roots().certificates.values() for der in every}
    assert pinned == set(gateway.sandbox.roots())
    assert gateway.sandbox.hierarchy.root(Kind.SIGN, "forged").der not in pinned
    assert list(gateway.roots().face_keys)


async def test_certificates_of_a_person_are_linked_over_renewals(gateway: SandboxGateway) -> None:
    persona = gateway.sandbox.persona("renewed-twice")
    expected = [
        reference(each) for pair in zip(persona.sign, persona.auth, strict=True) for each in pair
    ]
    for one in (persona.sign[0], persona.auth[2]):
        linked = await gateway.linked_certificates(reference(one), STATUS)
        assert list(linked) == expected


async def test_a_certificate_that_was_never_issued_is_not_found(gateway: SandboxGateway) -> None:
    made_up = dataclasses.replace(reference(held(gateway.sandbox, "ordinary")), serial=5)
    elsewhere = dataclasses.replace(
        made_up, serial=held(gateway.sandbox, "ordinary").serial, authority_key_id=b""
    )
    for one in (made_up, elsewhere):
        with pytest.raises(GatewayError) as caught:
            await gateway.linked_certificates(one, STATUS)
        assert caught.value.cause is GatewayCause.NOT_FOUND


async def test_a_list_is_found_by_key_and_distribution_point(gateway: SandboxGateway) -> None:
    one = held(gateway.sandbox, "moved")
    points = one.certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    point = (points.value[0].full_name or [])[0].value.public_bytes()
    listed = await gateway.fetch_crl(one.root.key_identifier, point, STATUS)
    assert x509.load_der_x509_crl(listed).get_revoked_certificate_by_serial_number(one.serial)
    for key, place in ((b"", point), (one.root.key_identifier, b"")):
        with pytest.raises(GatewayError) as caught:
            await gateway.fetch_crl(key, place, STATUS)
        assert caught.value.cause is GatewayCause.NOT_FOUND


async def test_a_consent_lives_from_its_signature_to_its_withdrawal(
    gateway: SandboxGateway,
) -> None:
    given = await gateway.register_consent(consent(held(gateway.sandbox, "ordinary")))
    assert given.state is ConsentState.ACTIVE
    latest = await gateway.latest_attributes(given.id)
    assert latest.attributes.name == "青山　花子"
    assert latest.attributes.birth == "319800217"
    withdrawn = await gateway.withdraw_consent(given.id)
    assert withdrawn.state is ConsentState.WITHDRAWN
    assert await gateway.withdraw_consent(given.id) == withdrawn
    assert await gateway.find_consent(given.id) == withdrawn
    with pytest.raises(GatewayError) as caught:
        await gateway.latest_attributes(given.id)
    assert caught.value.cause is GatewayCause.REFUSED


async def test_a_consent_outlives_the_certificate_and_tells_of_the_move(
    gateway: SandboxGateway,
) -> None:
    one = held(gateway.sandbox, "ordinary")
    given = await gateway.register_consent(consent(one))
    person = PEOPLE["ordinary"]
    gateway.sandbox.jlis.change_attributes(
        "ordinary", dataclasses.replace(person.attributes, address="大阪府吹田市片山町９番")
    )
    latest = await gateway.latest_attributes(given.id)
    assert latest.attributes.address == "大阪府吹田市片山町９番"
    assert asked(gateway.sandbox, one).revocation_reason is x509.ReasonFlags.affiliation_changed


async def test_a_consent_ends_after_a_year(gateway: SandboxGateway, clock: FakeClock) -> None:
    given = await gateway.register_consent(consent(held(gateway.sandbox, "ordinary")))
    clock.instant = given.expires_at
    assert (await gateway.find_consent(given.id)).state is ConsentState.EXPIRED
    with pytest.raises(GatewayError):
        await gateway.latest_attributes(given.id)


async def test_a_consent_that_the_person_did_not_sign_is_refused(gateway: SandboxGateway) -> None:
    good = consent(held(gateway.sandbox, "ordinary"))
    auth = held(gateway.sandbox, "ordinary", Kind.AUTH)
    for bad in (
        dataclasses.replace(good, text=b"something else"),
        dataclasses.replace(good, text=b""),
        dataclasses.replace(good, signature=bytes(256)),
        dataclasses.replace(good, signature=b""),
        dataclasses.replace(good, intent=b"something else"),
        dataclasses.replace(good, certificate=held(gateway.sandbox, "phone").der),
        dataclasses.replace(good, certificate=b"\x30\x00"),
        consent(held(gateway.sandbox, "moved")),
        consent(held(gateway.sandbox, "forged")),
    ):
        with pytest.raises(GatewayError) as caught:
            await gateway.register_consent(bad)
        assert caught.value.cause is GatewayCause.REFUSED
    with pytest.raises(GatewayError):
        await gateway.register_consent(consent(auth))


async def test_an_unknown_consent_is_not_found(gateway: SandboxGateway) -> None:
    for ask in (gateway.find_consent, gateway.withdraw_consent, gateway.latest_attributes):
        with pytest.raises(GatewayError) as caught:
            await ask("no-such-consent")
        assert caught.value.cause is GatewayCause.NOT_FOUND


async def test_a_stand_in_that_is_down_says_nothing(gateway: SandboxGateway) -> None:
    gateway.sandbox.jlis.plant(down=True)
    with pytest.raises(GatewayError) as caught:
        await gateway.ask_ocsp(b"", STATUS)
    assert caught.value.cause is GatewayCause.UNREACHABLE


# --------------------------------------------------------------------------- the wire


@pytest.fixture
def server(living: Sandbox) -> Iterator[JLisServer]:
    running = JLisServer(living)
    running.start()
    yield running
    running.close()


def fetched(
    server: JLisServer, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def written(folder: Path, living: Sandbox, name: str) -> tuple[Path, Path]:
    one = held(living, name)
    certificate, root = folder / "cert.pem", folder / "root.pem"
    certificate.write_bytes(one.certificate.public_bytes(Encoding.PEM))
    root.write_bytes(one.root.certificate.public_bytes(Encoding.PEM))
    return certificate, root


@pytest.mark.parametrize(("name", "status"), [("ordinary", "good"), ("revoked", "revoked")])
@pytest.mark.parametrize("algorithm", ["-sha1", "-sha256"])
def test_openssl_accepts_the_responders_answer(
    server: JLisServer, living: Sandbox, tmp_path: Path, name: str, status: str, algorithm: str
) -> None:
    openssl = require("openssl", "asks as its users do")
    certificate, root = written(tmp_path, living, name)
    # FakeClock stands in the past of openssl's clock.
    at = str(int(FakeClock().now().timestamp()))
    done = run(
        *(openssl, "ocsp", algorithm, "-issuer", root, "-cert", certificate, "-CAfile", root),
        *("-url", f"{server.url}/ocsp", "-attime", at, "-validity_period", "999999999"),
    )
    assert "Response verify OK" in done.stderr, done.stderr
    assert f"{certificate}: {status}" in done.stdout


def test_openssl_finds_the_revoked_one_in_the_list(
    server: JLisServer, living: Sandbox, tmp_path: Path
) -> None:
    openssl = require("openssl", "checks lists as its users do")
    certificate, root = written(tmp_path, living, "revoked")
    listed = tmp_path / "list.der"
    code, octets = fetched(server, "GET", "/crl/sign/03/27205.crl")
    assert code == 200
    listed.write_bytes(octets)
    at = str(int(FakeClock().now().timestamp()))
    done = run(openssl, "crl", "-inform", "DER", "-in", listed, "-CAfile", root, "-noout")
    assert "verify OK" in done.stderr
    done = run(
        *(openssl, "verify", "-attime", at, "-crl_check", "-CRLfile", listed, "-CAfile", root),
        certificate,
    )
    assert "certificate revoked" in done.stderr


def test_roots_are_given_out_one_by_one_and_together(server: JLisServer) -> None:
    code, octets = fetched(server, "GET", "/roots.pem")
    assert code == 200
    assert len(x509.load_pem_x509_certificates(octets)) == 6
    code, octets = fetched(server, "GET", "/roots/auth-02.pem")
    assert len(x509.load_pem_x509_certificates(octets)) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/", None, 404),
        ("GET", "/crl/sign/04/13221.crl", None, 404),
        ("GET", "/crl/sign/03/99999.crl", None, 404),
        ("GET", "/crl/../../etc/passwd", None, 404),
        ("GET", "/roots/sign-forged.pem", None, 404),
        ("GET", "/ocsp/***", None, 400),
        ("POST", "/elsewhere", b"", 404),
        ("POST", "/ocsp", b"\x00" * 8193, 413),
        ("PUT", "/ocsp", b"", 501),
    ],
)
def test_anything_else_is_refused(
    server: JLisServer, method: str, path: str, body: bytes | None, code: int
) -> None:
    assert fetched(server, method, path, body)[0] == code


def test_a_server_that_is_down_says_so(server: JLisServer, living: Sandbox) -> None:
    living.jlis.plant(down=True)
    assert fetched(server, "GET", "/roots.pem")[0] == 503
    assert fetched(server, "POST", "/ocsp", b"")[0] == 503
