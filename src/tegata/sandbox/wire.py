"""The stand-in of J-LIS on loopback, as `openssl ocsp` and `openssl crl` know how to ask.

POST /ocsp                                  an OCSPRequest (RFC 6960 appendix A.1)
GET  /ocsp/{base64}                         the same
GET  /crl/{kind}/{generation}/{code}.crl    the list of one municipality
GET  /roots.pem                             every generation of both hierarchies
GET  /roots/{kind}-{generation}.pem         one of them
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from tegata.pkix.certificate import encode_pem
from tegata.sandbox.authority import JLisRefusal
from tegata.sandbox.hierarchy import GENERATIONS
from tegata.sandbox.keys import SandboxError
from tegata.sandbox.people import Kind
from tegata.sandbox.personas import Sandbox

_REQUEST_MAXIMUM = 8192
_LIST = re.compile(r"/crl/(sign|auth)/(0[1-3])/([0-9]{5})\.crl")
_ROOT = re.compile(r"/roots/(sign|auth)-(0[1-3])\.pem")
_PEM = "application/x-pem-file"
_OCSP = "application/ocsp-response"


class JLisServer:
    """Serves one sandbox until it is closed. Port 0 takes a free one."""

    def __init__(self, sandbox: Sandbox, port: int = 0) -> None:
        self._server = _Server(sandbox, port)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serve in a thread of its own."""
        self._thread.start()

    def wait(self) -> None:
        """Until it is closed."""
        self._thread.join()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        # On loopback only: nothing here is anybody else's business.
        super().__init__(("127.0.0.1", port), _Handler)
        self.sandbox = sandbox


class _Handler(BaseHTTPRequestHandler):
    server_version = "JPKI-SIM"
    sys_version = ""
    # Seconds that a client may take.
    timeout = 10

    def do_GET(self) -> None:
        sandbox, path = self._sandbox(), unquote(self.path)
        if sandbox is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        elif path.startswith("/ocsp/"):
            try:
                request = base64.b64decode(path.removeprefix("/ocsp/"), validate=True)
            except (binascii.Error, ValueError):
                self.send_error(HTTPStatus.BAD_REQUEST)
            else:
                self._answer(sandbox.jlis.ocsp(request), _OCSP)
        elif found := _found(sandbox, path):
            self._answer(*found)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        sandbox, length = self._sandbox(), self.headers.get("Content-Length", "")
        if sandbox is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        elif self.path != "/ocsp":
            self.send_error(HTTPStatus.NOT_FOUND)
        elif not length.isdecimal():
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif int(length) > _REQUEST_MAXIMUM:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._answer(sandbox.jlis.ocsp(self.rfile.read(int(length))), _OCSP)

    def _sandbox(self) -> Sandbox | None:
        """The sandbox, or None while it shall not answer."""
        assert isinstance(self.server, _Server)
        try:
            self.server.sandbox.jlis.require_up()
        except JLisRefusal:
            return None
        return self.server.sandbox

    def _answer(self, octets: bytes, media_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *args: object) -> None:
        """Say nothing: what was asked is about persons, even where nobody exists."""


def _found(sandbox: Sandbox, path: str) -> tuple[bytes, str] | None:
    """What stands at a path, and its media type."""
    if listed := _LIST.fullmatch(path):
        kind, generation, code = listed.groups()
        try:
            return sandbox.jlis.crl(Kind(kind), generation, code), "application/pkix-crl"
        except SandboxError:
            return None
    if path == "/roots.pem":
        chosen = [(kind, each) for kind in Kind for each in GENERATIONS]
    elif one := _ROOT.fullmatch(path):
        chosen = [(Kind(one[1]), one[2])]
    else:
        return None
    ders = (sandbox.hierarchy.root(kind, each).der for kind, each in chosen)
    return "".join(encode_pem("CERTIFICATE", der) for der in ders).encode(), _PEM
