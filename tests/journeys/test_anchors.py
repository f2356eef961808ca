"""The log's checkpoints, time-stamped by the platform and by somebody else, and what becomes of
those who lie about it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography import x509
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from tests.journeys.platform import Json, Server, eventually, running
from tests.journeys.stamping import openssl
from tests.timestamping.elsewhere import Elsewhere, listening, write_root


def anchors(server: Server, source: str = "") -> list[Json]:
    """The anchors of a source, the newest first."""
    items = server.public.get("/log/anchor/index.json").good()["items"]
    return [each for each in items if source in each["source"]]


def refusals(server: Server, source: str) -> list[tuple[str, str]]:
    """Code and detail of each recorded refusal of a source."""
    found = []
    for event in server.operator.events():
        facts = json.loads(event["canonical"])
        private = dict(
            json.loads(base64.urlsafe_b64decode(each + "=="))[1:] for each in event["disclosures"]
        )
        if facts["action"] == "timestamping:anchor:refuse" and private["source"] == source:
            found.append((facts["code"], private["detail"]))
    return found


@pytest.mark.requires("openssl", "verifies as its users do")
def test_checkpoints_are_stamped_by_the_platform_and_by_others_and_verified_by_anybody(
    folder: Path, database: tuple[str, ...]
) -> None:
    other = Elsewhere()
    with listening(other) as url:
        options = ["--tsa-url", url, "--tsa-ca", str(write_root(other, folder / "other.pem"))]
        options += ["--anchor-seconds", "1"]
        with running(folder / "data", "--demo", *options, *database) as server:
            theirs = eventually(lambda: anchors(server, url) or None)[0]
            ours = eventually(lambda: anchors(server, "/tsp/") or None)[0]
            root = folder / "own.pem"
            root.write_bytes(Path(server.context["tls_ca"]).read_bytes())
            for item, anchor in ((theirs, folder / "other.pem"), (ours, root)):
                token = server.public.get(item["token"])
                assert token.headers["content-type"] == "application/timestamp-reply"
                checkpoint = server.public.get(item["checkpoint"]).body
                # What is stamped is what is signed: the text before the empty line.
                body = checkpoint.partition(b"\n\n")[0] + b"\n"
                assert body.splitlines()[1] == str(item["size"]).encode()
                (folder / "answer.tsr").write_bytes(token.body)
                (folder / "body").write_bytes(body)
                verified = openssl(
                    folder, "ts", "-verify", "-data", "body", "-in", "answer.tsr",
                    "-CAfile", str(anchor),
                )  # fmt: skip
                assert verified.returncode == 0, verified.stderr
                response = decode_timestamp_response(token.body)
                certificate = x509.load_pem_x509_certificate(anchor.read_bytes())
                verifier = VerifierBuilder().add_root_certificate(certificate)
                verifier = verifier.nonce(response.tst_info.nonce)
                assert verifier.build().verify_message(response, body)
            kept = [each for each in server.operator.facts()
                    if each["action"] == "timestamping:anchor:keep"]  # fmt: skip
            assert len(kept) >= 2
            for path in ("0/0.tsr", "9/x.tsr", "1/999.tsr", "-1/checkpoint", f"{1 << 70}/0.tsr"):
                assert server.public.get(f"/log/anchor/{path}").status == 404


def test_an_authority_that_lies_is_named_and_its_token_is_not_kept(folder: Path) -> None:
    other = Elsewhere(mode="another nonce")
    with listening(other) as url:
        options = ["--tsa-url", url, "--tsa-ca", str(write_root(other, folder / "other.pem"))]
        options += ["--anchor-seconds", "1"]
        with running(folder / "data", "--demo", *options) as server:
            told = eventually(lambda: refusals(server, url) or None)
            assert [code for code, _detail in told] == ["tsa.nonce"]
            for mode, code in (
                ("ahead", "tsa.clock-differs"),
                ("refusing", "tsa.refused"),
                ("broken", "tsa.unreachable"),
            ):
                other.mode = mode
                eventually(lambda code=code: code in dict(refusals(server, url)))  # type: ignore[misc]
            assert not anchors(server, url)
            assert anchors(server, "/tsp/")
            other.mode = "good"
            assert eventually(lambda: anchors(server, url) or None)
