"""The quick start that `tegata run` prints: lines to copy and paste."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from tegata.kernel.wording import choose_language, translate

_LINES = """
# 1. {key}
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj "/CN=www.example.test" -addext "subjectAltName=DNS:www.example.test"

# 2. {request}
curl --silent --show-error --cacert {tls_ca} -H "Authorization: Bearer $(cat {token_file})" -H "Content-Type: application/json" --data "$({python} -c 'import json; print(json.dumps({{"issuer": "{issuer}", "profile": "tls-server", "csr": open("server.csr").read()}}))')" {api}/v1/certificates -o answer.json
{python} -c 'import json; a = json.load(open("answer.json")); open("server.pem", "w").write(a["certificate"]); open("issuing.pem", "w").write(a["chain"][0]); open("root.pem", "w").write(a["chain"][-1]); open("id", "w").write(a["id"])'

# 3. {verify}
openssl verify -CAfile root.pem -untrusted issuing.pem -purpose sslserver -verify_hostname www.example.test server.pem

# 4. {ask}
openssl ocsp -issuer issuing.pem -cert server.pem -url {public}/ocsp -CAfile root.pem -no_nonce

# 5. {revoke}
curl --silent --show-error --cacert {tls_ca} -H "Authorization: Bearer $(cat {token_file})" -H "Content-Type: application/json" --data '{{"reason": "keyCompromise"}}' {api}/v1/certificates/$(cat id)/revoke -o revoked.json

# 6. {again}
openssl ocsp -issuer issuing.pem -cert server.pem -url {public}/ocsp -CAfile root.pem -no_nonce

# 7. {person}
{tegata} sandbox verify --persona ordinary --context {context}
"""  # noqa: E501 (each command is one line to paste)

_TITLES = {
    "key": "Make a key and a certification request",
    "request": "Ask for a certificate",
    "verify": "Verify it",
    "ask": "Ask for its status: good",
    "revoke": "Revoke it",
    "again": "Ask again: revoked",
    "person": "Verify a made-up person by a made-up My Number Card",
}


def print_quick_start(context: Mapping[str, str | bool]) -> None:
    """Print the quick start for a running platform, in the terminal's language."""
    # A terminal that cannot show a letter still shows the commands.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    sys.stdout.write(quick_start(context, _language(os.environ)))
    sys.stdout.flush()


def _language(environment: Mapping[str, str]) -> str:
    """The language of the terminal's messages (POSIX.1-2017 XBD section 8.2).

    From the variables themselves: where the locale is not installed, the C library has none.
    """
    wish = next(filter(None, map(environment.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "en")
    return choose_language(wish.partition(".")[0].replace("_", "-"))


def quick_start(context: Mapping[str, str | bool], language: str) -> str:
    """The quick start for a running platform."""
    titles = {name: translate(title, language) for name, title in _TITLES.items()}
    opening = translate("tegata is running. In another terminal, in an empty folder:", language)
    closing = translate("Stop with Ctrl+C; everything is kept.", language)
    # Who pastes this in another terminal may not have our environment's programs on the path.
    own = {
        "tegata": str(Path(sys.argv[0]).resolve()),
        "context": str(Path(str(context["sandbox"])).with_name("context.json")),
    }
    quoted = {name: shlex.quote(str(value)) for name, value in {**context, **own}.items()}
    return f"{opening}\n{_LINES.format(**quoted, **titles, python='python3')}\n{closing}\n"
