"""Profiles of network access and logon, accepted by the servers that they are for: a RADIUS
server (EAP-TLS) and a Kerberos key distribution centre (PKINIT, smart-card logon)."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509

from tests.components import require
from tests.conformance.enrolled import SID, Enrolled, account, enrol, principal
from tests.conformance.running import NAME, Running, attempt, run, until

HOSTAPD = require("hostapd", "is a RADIUS server")
EAPOL_TEST = require("eapol_test", "is a supplicant")
KDC = require("krb5kdc", "is a key distribution centre")
KINIT = require("kinit", "logs on")

REALM = "CORP.EXAMPLE.TEST"
USER = "hanako"
HOST = x509.DNSName(NAME)


def free_port() -> int:
    """A UDP port of the loopback interface that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def daemon(
    command: Sequence[str | Path], folder: Path, environment: dict[str, str] | None = None
) -> Generator[subprocess.Popen[bytes]]:
    """A server in the foreground, ended at the end."""
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [str(each) for each in command],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def radius_server(folder: Path, server: Enrolled, root: Path) -> Generator[int]:
    """A RADIUS server that lets in whom it can verify; its port."""
    port = free_port()
    (folder / "chain.pem").write_text(server.leaf.read_text() + server.issuing.read_text())
    (folder / "users").write_text("* TLS\n")
    (folder / "clients").write_text("127.0.0.1/32 secret\n")
    (folder / "hostapd.conf").write_text(
        f"driver=none\nradius_server_clients={folder}/clients\nradius_server_auth_port={port}\n"
        f"eap_server=1\neap_user_file={folder}/users\nca_cert={root}\n"
        f"server_cert={folder}/chain.pem\nprivate_key={server.key}\n"
        "logger_stdout=-1\nlogger_stdout_level=2\n"
    )
    with daemon([HOSTAPD, folder / "hostapd.conf"], folder) as process:
        log = folder / "daemon.log"
        until(lambda: "AP-ENABLED" in log.read_text() or process.poll(), 10, "the RADIUS server")
        assert process.poll() is None, log.read_text()
        yield port


def supplicate(folder: Path, port: int, client: Enrolled, root: Path) -> tuple[int, str]:
    """What the RADIUS server says to a certificate."""
    chain = folder / "client.pem"
    chain.write_text(client.leaf.read_text() + client.issuing.read_text())
    configuration = folder / "eapol.conf"
    configuration.write_text(
        'network={\n key_mgmt=IEEE8021X\n eap=TLS\n identity="sensor-7"\n'
        f' ca_cert="{root}"\n client_cert="{chain}"\n private_key="{client.key}"\n'
        f' domain_match="{NAME}"\n}}\n'
    )
    return attempt(EAPOL_TEST, "-c", configuration, "-a", "127.0.0.1", "-p", str(port), "-s",
                   "secret", "-t", "10")  # fmt: skip


def test_a_network_lets_in_who_has_a_certificate_for_it(platform: Running, tmp_path: Path) -> None:
    server = enrol(platform, "tls-server", NAME, [HOST])
    names = [x509.DNSName("sensor-7.example.test"), principal("sensor-7@corp.example.test")]
    client = enrol(platform, "wifi-eap-tls", "sensor 7", names)
    with radius_server(tmp_path, server, server.root) as port:
        code, text = supplicate(tmp_path, port, client, server.root)
        assert code == 0, text
        assert text.rstrip().endswith("SUCCESS")
        # A server's certificate is no client's, whoever issued it.
        code, text = supplicate(tmp_path, port, server, server.root)
        assert code != 0, text


@contextmanager
def key_distribution_centre(folder: Path, server: Enrolled) -> Generator[dict[str, str]]:
    """A realm whose users log on with certificates; the environment of its clients."""
    port = free_port()
    anchors = folder / "anchors.pem"
    anchors.write_text(server.root.read_text())
    pool = folder / "pool.pem"
    pool.write_text(server.issuing.read_text())
    (folder / "krb5.conf").write_text(
        f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n"
        f" dns_lookup_realm = false\n rdns = false\n"
        f"[realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n"
        f"  pkinit_anchors = FILE:{anchors}\n  pkinit_pool = FILE:{pool}\n"
        f"  pkinit_eku_checking = kpServerAuth\n  pkinit_kdc_hostname = {NAME}\n }}\n"
    )
    (folder / "kdc.conf").write_text(
        f"[kdcdefaults]\n kdc_ports = {port}\n kdc_tcp_ports = {port}\n"
        f"[realms]\n {REALM} = {{\n  database_name = {folder}/principal\n"
        f"  key_stash_file = {folder}/stash\n  acl_file = {folder}/acl\n"
        f"  kdc_listen = 127.0.0.1:{port}\n  kdc_tcp_listen = 127.0.0.1:{port}\n"
        f"  pkinit_identity = FILE:{server.leaf},{server.key}\n"
        f"  pkinit_anchors = FILE:{anchors}\n  pkinit_pool = FILE:{pool}\n"
        "  pkinit_allow_upn = yes\n  pkinit_eku_checking = scLogin\n }\n"
        f"[logging]\n kdc = FILE:{folder}/kdc.log\n"
    )
    environment = {
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "KRB5CCNAME": f"FILE:{folder}/cache",
        "KRB5_TRACE": str(folder / "trace"),
    }
    make = (KDC.with_name("kdb5_util"), "create", "-s", "-r", REALM, "-P", "master")
    run(*make, environment=environment)
    add = f"addprinc +requires_preauth -nokey {USER}"
    run(KDC.with_name("kadmin.local"), "-r", REALM, "-q", add, environment=environment)
    with daemon([KDC, "-n", "-r", REALM], folder, environment) as process:
        log = folder / "kdc.log"
        until(
            lambda: (log.exists() and "commencing operation" in log.read_text()) or process.poll(),
            15,
            "the key distribution centre",
        )
        assert process.poll() is None, (folder / "daemon.log").read_text()
        yield environment


def log_on(user: str, card: Enrolled, environment: dict[str, str]) -> tuple[int, str]:
    """What the centre says to a card."""
    return attempt(KINIT, "-V", "-X", f"X509_user_identity=FILE:{card.leaf},{card.key}",
                   f"{user}@{REALM}", environment=environment, text="")  # fmt: skip


def test_a_card_logs_its_owner_on_and_nobody_else(platform: Running, tmp_path: Path) -> None:
    server = enrol(platform, "tls-server", NAME, [HOST])
    card = enrol(
        platform, "smartcard-logon", USER, [principal(f"{USER}@{REALM}")],
        extensions=[account(SID)],
    )  # fmt: skip
    other = enrol(platform, "smartcard-logon", "Taro", [principal(f"taro@{REALM}")])
    with key_distribution_centre(tmp_path, server) as environment:
        code, text = log_on(USER, card, environment)
        assert code == 0, text + (tmp_path / "trace").read_text()
        assert "Authenticated to Kerberos" in text
        assert log_on(USER, other, environment)[0] != 0
