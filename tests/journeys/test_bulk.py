"""Files with many requests, as spreadsheets and scripts write them."""

from __future__ import annotations

import base64
import csv
import io
import ssl
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.journeys.platform import Answer, Caller, Json, Server, Tenant, eventually, run_tegata
from tests.journeys.requests import FRESH, make_csr

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def tenant(server: Server) -> Tenant:
    return server.open_tenant("Bulk")


def written(rows: Sequence[Sequence[str]], **dialect: str) -> str:
    target = io.StringIO(newline="")
    csv.writer(target, **dialect).writerows(rows)  # type: ignore[arg-type]
    return target.getvalue()


def one_line(csr: str) -> str:
    return base64.b64encode(
        ssl.PEM_cert_to_DER_cert(csr.replace("CERTIFICATE REQUEST", "CERTIFICATE"))
    ).decode()


def send(
    tenant: Tenant, octets: bytes, act: str = "issue", media: str = "text/csv", **query: str
) -> Answer:
    given = {"act": act, **query}
    if act == "issue":
        given = {"issuer": tenant.issuer, "profile": "tls-server", **given}
    return tenant.caller.call(
        "POST", f"/v1/bulk?{urlencode(given)}", octets=octets, headers={"Content-Type": media}
    )


def finished(caller: Caller, identifier: str, seconds: float = 60) -> Json:
    def look() -> Json | None:
        body = caller.get(f"/v1/bulk/{identifier}").good()
        return body if body["state"] in ("done", "cancelled") else None

    return eventually(look, seconds)


def results(caller: Caller, identifier: str) -> Rows:
    answer = caller.get(f"/v1/bulk/{identifier}/results")
    assert answer.status == 200
    assert answer.body.startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in answer.body
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))


def done(tenant: Tenant, octets: bytes, act: str = "issue", **query: str) -> Rows:
    body = send(tenant, octets, act, **query).good(202)
    end = finished(tenant.caller, body["id"])
    found = results(tenant.caller, body["id"])
    assert end["succeeded"] + end["refused"] == end["rows"] == len(found)
    return found


def test_each_row_gets_its_own_certificate_or_its_own_problem(
    tenant: Tenant, tmp_path: Path
) -> None:
    rows = [["reference", "csr"]]
    rows += [[f"host {n}", make_csr(f"bulk{n}.example.test", kind=FRESH)] for n in range(3)]
    rows += [["not a request", "hello"], ["same again", rows[1][1]]]
    rows += [["bad name", make_csr("*.*.example.test", kind=FRESH)]]
    found = done(tenant, written(rows).encode())
    assert [row["result"] for row in found] == ["done"] * 3 + ["refused"] * 3
    assert [row["code"] for row in found[3:]][:2] == ["csr.malformed", "bulk.duplicate-row"]
    assert found[4]["detail"] == "the same as row 1"
    assert found[3]["title"]
    chain, leaf = tmp_path / "chain.pem", tmp_path / "leaf.pem"
    issuers = {each["id"]: each for each in tenant.caller.items("/v1/issuers")}
    own = issuers[tenant.issuer]
    chain.write_text(own["certificate"] + "".join(own["chain"]))
    for row in found[:3]:
        leaf.write_text(row["certificate"])
        subprocess.run(
            ["openssl", "verify", "-partial_chain", "-CAfile", chain, leaf],
            check=True, capture_output=True,
        )  # fmt: skip


EXCEL = {
    "utf-8 with a BOM": (",", "utf-8-sig"),
    "semicolons of a European Excel": (";", "utf-8-sig"),
    "Shift_JIS": (",", "cp932"),
    "Unicode text": ("\t", "utf-16"),
}


@pytest.mark.parametrize(("delimiter", "encoding"), EXCEL.values(), ids=EXCEL)
def test_files_of_spreadsheets_are_read(tenant: Tenant, delimiter: str, encoding: str) -> None:
    csr = make_csr("excel.example.test", kind=FRESH)
    rows = [
        ["Reference", "CSR"],
        ["東京都 受付①", csr],
        ["一行", one_line(make_csr("b.example.test", kind=FRESH))],
    ]
    found = done(tenant, written(rows, dialect="excel", delimiter=delimiter).encode(encoding))
    assert [row["result"] for row in found] == ["done", "done"], found
    assert [row["reference"] for row in found] == ["東京都 受付①", "一行"]


def test_what_looks_like_a_formula_comes_back_as_text(tenant: Tenant) -> None:
    csr = [make_csr("f.example.test", kind=FRESH) for _ in range(4)]
    notes = ["=1+1", "@SUM(A1)", "+81-3", '=HYPERLINK("http://x.test")']
    rows = [["reference", "csr"], *zip(notes, csr, strict=True)]
    found = done(tenant, written(rows).encode())
    assert [row["reference"] for row in found] == [f"'{note}" for note in notes]


def test_certificates_are_revoked_held_released_and_renewed_by_id_or_serial(
    tenant: Tenant,
) -> None:
    issued = [tenant.issue(make_csr(f"life{n}.example.test", kind=FRESH)) for n in range(3)]
    by_id = written([["certificate"], *([each["id"]] for each in issued)]).encode()
    by_serial = written([["serial"], *([each["serial"]] for each in issued)]).encode()
    for act, octets, status in (
        ("hold", by_id, "revoked"), ("release", by_serial, "good"), ("renew", by_serial, "good"),
        ("revoke", by_id, "revoked"),
    ):  # fmt: skip
        found = done(tenant, octets, act, **({"reason": "superseded"} if act == "revoke" else {}))
        assert [row["result"] for row in found] == ["done"] * 3, found
        for each in issued:
            shown = tenant.caller.get(f"/v1/certificates/{each['id']}").good()
            assert shown["status"] == status
            assert (shown["successor"] is not None) == (act in ("renew", "revoke"))
    again = done(tenant, by_id, "revoke", reason="superseded")
    assert {row["code"] for row in again} == {"certificate.already-revoked"}


BAD = {
    "another header": b"name,surname\r\na,b\r\n",
    "no header": b"",
    "no rows": b"csr\r\n",
    "a column twice": b"csr,csr\r\na,b\r\n",
    "mixed encodings": "reference,csr\r\n東京,x\r\n".encode() + "東京,x\r\n".encode("cp932"),
    "an endless quotation": b'csr\r\n"' + b"a" * 70_000,
    "a quotation that is not closed": b'csr\r\n"abc',
}


@pytest.mark.parametrize("octets", BAD.values(), ids=BAD)
def test_files_that_cannot_be_read_are_refused_whole(tenant: Tenant, octets: bytes) -> None:
    before = len(tenant.caller.certificates(limit=200))
    assert send(tenant, octets).code == "bulk.file-refused"
    assert len(tenant.caller.certificates(limit=200)) == before


def test_other_media_types_and_acts_are_refused(tenant: Tenant) -> None:
    assert send(tenant, b"csr\r\nx", media="application/json").code == "request.media-type"
    assert send(tenant, b"csr\r\nx", "destroy").code == "request.malformed"
    assert send(tenant, b"csr\r\nx", media="text/csv; charset=ebcdic").code == "bulk.file-refused"


def test_bad_rows_are_refused_by_themselves(tenant: Tenant, server: Server) -> None:
    stranger = server.open_tenant("Bulk stranger")
    theirs = stranger.issue(make_csr("theirs.example.test"))
    lines = ["certificate,serial", f"{theirs['id']},", f",{theirs['serial']}", ",1.02E+37",
             "a\0b,", '"",""', "x,y,z"]  # fmt: skip
    found = done(tenant, "\r\n".join(lines).encode(), "revoke")
    assert [row["code"] for row in found] == [
        "certificate.unknown", "certificate.unknown", *["bulk.row-refused"] * 4,
    ]  # fmt: skip
    assert stranger.caller.get(f"/v1/certificates/{theirs['id']}").good()["status"] == "good"


def test_a_token_needs_what_the_act_needs(tenant: Tenant) -> None:
    body = {"name": "reader", "actions": ["bulk.manage", "certificates.read"]}
    made = tenant.caller.post("/v1/tokens", body).good(201)
    reader = Tenant(tenant.id, tenant.name, tenant.issuer, _caller(tenant, made["secret"]))
    assert send(reader, b"csr\r\nx").code == "authorization.denied"
    assert send(reader, b"certificate\r\nx", "revoke").code == "authorization.denied"


def _caller(tenant: Tenant, secret: str) -> Caller:
    return Caller(tenant.caller._door, secret)


def test_a_file_that_is_cancelled_stops(tenant: Tenant) -> None:
    csr = make_csr("cancel.example.test")
    rows = b"reference,csr\r\n" + b"".join(f'{n},"{csr}"\r\n'.encode() for n in range(3000))
    started = send(tenant, rows).good(202)
    tenant.caller.call("POST", f"/v1/bulk/{started['id']}/cancel").good()
    end = finished(tenant.caller, started["id"])
    assert end["state"] == "cancelled"
    assert end["rows"] == 3000


def test_the_command_runs_a_file_and_writes_the_results(
    server: Server, tenant: Tenant, tmp_path: Path
) -> None:
    token, file, output = tmp_path / "token", tmp_path / "in.csv", tmp_path / "out.csv"
    token.write_text(tenant.caller.token)
    csr = make_csr("command.example.test", kind=FRESH)
    file.write_bytes(written([["csr", "issuer"], [csr, tenant.issuer]]).encode("cp932"))
    options = ("--context", server.data / "context.json", "--token-file", token)
    ran = run_tegata("bulk", "run", *options, file, "--issuer", tenant.issuer, "--output", output)
    assert ran.returncode == 0, ran.stderr
    found = list(csv.DictReader(io.StringIO(output.read_text("utf-8-sig"), newline="")))
    assert found[0]["certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert run_tegata("bulk", "show", *options).returncode == 0
