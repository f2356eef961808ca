"""Hierarchies built over REST and the command line, verified by OpenSSL."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.components import require
from tests.conformance.running import TEGATA, RefusedError, Running, attempt, run, until

OPENSSL = "openssl"
LEAF = "www.a.example.co.jp"


def tegata(platform: Running, *arguments: str | Path) -> str:
    context = str(platform.data / "context.json")
    return run(TEGATA, *arguments, environment={"TEGATA_CONTEXT": context})


def refused(platform: Running, *arguments: str) -> str:
    context = str(platform.data / "context.json")
    code, text = attempt(TEGATA, *arguments, environment={"TEGATA_CONTEXT": context})
    assert code != 0
    return text


def create(platform: Running, *arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tegata(platform, "ca", "create", *arguments))
    return found


def pem(folder: Path, name: str, *texts: str) -> Path:
    file = folder / name
    file.write_text("".join(texts))
    return file


def three_levels(platform: Running, mark: str) -> list[dict[str, Any]]:
    """A root over REST, an intermediate and an issuing CA over the command line."""
    body = {
        "name": f"Root {mark}",
        "kind": "root",
        "subject": {"countryName": "JP", "commonName": f"Root {mark}"},
        "path_length": 2,
        "key_algorithm": "p384",
    }
    root = platform.call("POST", "/v1/issuers", body)
    middle = create(
        platform, f"Policy CA {mark}", "--kind", "subordinate", "--parent", root["id"],
        "--permit", "dns:example.co.jp", "--exclude", "dns:bad.example.co.jp",
        "--policy", "1.2.392.200091.100.1",
    )  # fmt: skip
    lowest = create(
        platform, f"Issuing CA {mark}", "--kind", "issuing", "--parent", middle["id"],
        "--permit", "dns:a.example.co.jp",
        "--key-algorithm", "rsa-3072", "--signature-algorithm", "rsa-pss-sha256",
    )  # fmt: skip
    return [root, middle, lowest]


@pytest.fixture(autouse=True)
def _openssl() -> None:
    require(OPENSSL, "verifies what we issue")


def test_a_leaf_of_three_levels_is_verified_within_its_constraints(
    platform: Running, tmp_path: Path
) -> None:
    root, middle, lowest = three_levels(platform, "one")
    leaf = platform.issue(LEAF, profile="mutual-tls", issuer=lowest["id"])
    anchor = pem(tmp_path, "root.pem", root["certificate"])
    above = pem(tmp_path, "above.pem", middle["certificate"], lowest["certificate"])
    verify = (OPENSSL, "verify", "-x509_strict", "-policy", "1.2.392.200091.100.1")
    assert "OK" in run(*verify, "-CAfile", anchor, "-untrusted", above, leaf.leaf)
    assert platform.status(leaf) == "good"
    tree = tegata(platform, "ca", "tree")
    assert re.search(r"Root one .*\n└── Policy CA one .*\n    └── Issuing CA one ", tree)
    for name in ("www.example.com", "www.b.example.co.jp", "bad.example.co.jp"):
        with pytest.raises(RefusedError) as caught:
            platform.issue(name, issuer=lowest["id"])
        assert caught.value.code == "lint.refused"


def test_a_leaf_that_another_tool_forces_out_of_its_constraints_is_refused_by_openssl(
    tmp_path: Path,
) -> None:
    # What we never sign: the same constraints, by a CA that does not look at them.
    ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    run(
        OPENSSL, "req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Root",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        "-addext", "nameConstraints=critical,permitted;DNS:a.example.co.jp", folder=tmp_path,
    )  # fmt: skip
    for name, verdict in (("www.a.example.co.jp", 0), ("www.b.example.co.jp", 2)):
        run(
            OPENSSL, "req", "-x509", *ec, "-keyout", "l.key", "-out", "l.pem", "-subj", "/CN=leaf",
            "-CA", "ca.pem", "-CAkey", "ca.key", "-addext", f"subjectAltName=DNS:{name}",
            "-addext", "basicConstraints=critical,CA:false", folder=tmp_path,
        )  # fmt: skip
        code, text = attempt(OPENSSL, "verify", "-CAfile", "ca.pem", "l.pem", folder=tmp_path)
        assert code == verdict, text


def test_the_generations_of_a_root_certify_each_other(platform: Running, tmp_path: Path) -> None:
    old, middle, lowest = three_levels(platform, "two")
    leaf = platform.issue(LEAF, issuer=lowest["id"])
    new = json.loads(tegata(platform, "ca", "rekey", old["id"]))
    assert json.loads(tegata(platform, "ca", "rekey", old["id"]))["id"] == new["id"]
    links = {each["kind"]: each["certificate"] for each in new["links"]}
    old_root = pem(tmp_path, "old.pem", old["certificate"])
    new_root = pem(tmp_path, "new.pem", new["certificate"])
    for kind, anchor in (("new-with-old", old_root), ("old-with-new", new_root)):
        file = pem(tmp_path, f"{kind}.pem", links[kind])
        assert "OK" in run(OPENSSL, "verify", "-x509_strict", "-CAfile", anchor, file)
    above = pem(
        tmp_path, "above.pem",
        middle["certificate"], lowest["certificate"], links["old-with-new"],
    )  # fmt: skip
    verify = (OPENSSL, "verify", "-x509_strict", "-CAfile", new_root, "-untrusted", above)
    assert "OK" in run(*verify, leaf.leaf)
    # The old one issues no more, and goes on answering.
    assert platform.call("GET", f"/v1/issuers/{old['id']}")["state"] == "retired"
    text = refused(
        platform, "ca", "create", "late", "--kind", "issuing", "--parent", str(old["id"])
    )
    assert "issuer.inactive" in text
    assert platform.crl(old["id"]).next_update_utc is not None


def test_an_externally_signed_ca_is_verified_by_the_root_that_signed_it(
    platform: Running, tmp_path: Path
) -> None:
    pending = create(platform, "Outside signed", "--kind", "issuing", "--external")
    assert pending["state"] == "pending"
    request = pem(tmp_path, "ca.csr", tegata(platform, "ca", "csr", pending["id"]))
    run(OPENSSL, "req", "-in", request, "-verify", "-noout")
    run(
        OPENSSL, "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-keyout", "o.key", "-out",
        "o.pem", "-days", "3000", "-subj", "/CN=OpenSSL Root",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign", folder=tmp_path,
    )  # fmt: skip
    run(
        OPENSSL, "x509", "-req", "-in", request, "-CA", "o.pem", "-CAkey", "o.key",
        "-copy_extensions", "copy", "-days", "900", "-out", "ca.pem", folder=tmp_path,
    )  # fmt: skip
    own, root = (tmp_path / name for name in ("ca.pem", "o.pem"))
    assert "issuer.certificate-refused" in refused(
        platform, "ca", "install", str(pending["id"]), str(root)
    )
    chain = pem(tmp_path, "chain.pem", own.read_text(), root.read_text())
    for _again in range(2):
        installed = json.loads(tegata(platform, "ca", "install", pending["id"], chain))
        assert installed["state"] == "active"
    leaf = platform.issue("www.example.test", issuer=pending["id"])
    run(OPENSSL, "verify", "-x509_strict", "-CAfile", root, "-untrusted", own, leaf.leaf)
    assert platform.status(leaf) == "good"
    # Its next generation: a new key, a new request, and the same root above it.
    waiting = json.loads(tegata(platform, "ca", "rekey", pending["id"]))
    assert (waiting["state"], waiting["predecessor"]) == ("pending", pending["id"])
    again = pem(tmp_path, "again.csr", tegata(platform, "ca", "csr", waiting["id"]))
    run(OPENSSL, "req", "-in", again, "-verify", "-noout")
    platform.issue("still.example.test", issuer=pending["id"])
    run(
        OPENSSL, "x509", "-req", "-in", again, "-CA", "o.pem", "-CAkey", "o.key",
        "-copy_extensions", "copy", "-days", "900", "-out", "ca2.pem", folder=tmp_path,
    )  # fmt: skip
    following = pem(tmp_path, "chain2.pem", (tmp_path / "ca2.pem").read_text(), root.read_text())
    new = json.loads(tegata(platform, "ca", "install", waiting["id"], following))
    assert (new["state"], new["predecessor"]) == ("active", pending["id"])
    assert platform.call("GET", f"/v1/issuers/{pending['id']}")["state"] == "retired"
    later = platform.issue("later.example.test", issuer=new["id"])
    both = pem(tmp_path, "both.pem", own.read_text(), (tmp_path / "ca2.pem").read_text())
    for each in (leaf, later):
        run(OPENSSL, "verify", "-x509_strict", "-CAfile", root, "-untrusted", both, each.leaf)
        assert platform.status(each) == "good"


def test_a_revoked_ca_stands_in_its_parents_list_and_issues_no_more(platform: Running) -> None:
    _root, middle, lowest = three_levels(platform, "three")
    revoked = json.loads(tegata(platform, "ca", "revoke", lowest["id"]))
    assert revoked["state"] == "revoked"
    with pytest.raises(RefusedError) as caught:
        platform.issue(LEAF, issuer=lowest["id"])
    assert caught.value.code == "issuer.inactive"
    until(lambda: list(platform.crl(middle["id"])), 15, "the parent's list")


def test_the_switch_stops_and_resumes(platform: Running) -> None:
    issuer = str(platform.context["issuer"])
    for arguments in ((), ("--issuer", issuer)):
        tegata(platform, "stop", *arguments)
        with pytest.raises(RefusedError) as caught:
            platform.issue()
        assert caught.value.code == "issuance.stopped"
        tegata(platform, "resume", *arguments)
        platform.issue()


def test_the_repository_shows_policies_and_nothing_that_runs(
    platform: Running, tmp_path: Path
) -> None:
    issuer = str(platform.context["issuer"])
    incomplete = pem(tmp_path, "part.md", "# 1. はじめに\n## 1.1 概要\n")
    said = refused(platform, "ca", "publish-policy", issuer, str(incomplete), "--title", "CPS")
    assert "policy.incomplete" in said
    assert "1.2 Document name and identification" in said
    assert "1.1 Overview" not in said
    outline = tegata(platform, "ca", "policy-outline", "--language", "ja")
    hostile = "<script>alert(1)</script> [link](javascript:alert(2)) ![](http://x.test/y.png)"
    document = pem(tmp_path, "cps.md", outline.replace("規定しない。", hostile, 1))
    tegata(
        platform, "ca", "publish-policy", issuer, document,
        "--title", "CPS <script>", "--language", "ja",
    )  # fmt: skip
    page = platform.get(f"{platform.public}/repository/{issuer}").decode()
    assert "<script" not in page
    assert "CPS &lt;script&gt;" in page
    for link in re.findall(r'href="([^"]+)"', page):
        address = link if link.startswith("http") else platform.public + link
        assert platform.get(address), os.path.basename(address)  # noqa: PTH119 (of a URL)
    policy = f"{platform.public}/repository/{issuer}/policies/1"
    assert platform.get(policy + ".md") == document.read_bytes()
    shown = platform.get(policy).decode()
    assert "<h1>1. はじめに</h1>" in shown
    assert "<h2>4.10 証明書のステータス確認サービス</h2>" in shown
    assert not re.search(r"<script|<img|javascript:[^\]<]*\"", shown)
    assert "&lt;script&gt;alert(1)" in shown
