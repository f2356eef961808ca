"""Chromium without a window, driven through its pipe (Chrome DevTools Protocol)."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

Json = dict[str, Any]
_SECONDS = 60


@dataclass(slots=True)
class Browser:
    """One tab. `requests` are the addresses that it asked for, `complaints` what it logged."""

    _commands: BinaryIO
    _answers: BinaryIO
    _session: str = ""
    _number: int = 0
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _events: set[str] = field(default_factory=set)

    def call(self, method: str, **parameters: object) -> Json:
        """Send a command; its result."""
        self._number += 1
        message: Json = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: Json = answer["result"]
                return result

    def open_tab(self) -> None:
        """Begin."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def show(self, url: str, width: int, language: str, *, dark: bool = False) -> None:
        """Load a page in a window of so many CSS pixels; returns when it is whole."""
        self.requests.clear()
        self.complaints.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=800, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})
        self._events.discard("Page.loadEventFired")
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        while "Page.loadEventFired" not in self._events:
            self._read()

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page; its own policy does not hold for it."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]
        assert result.get("subtype") != "error", result
        return result.get("value")

    def picture(self, file: Path) -> None:
        """Write the whole page down as a PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _read(self) -> Json:
        octets = bytearray()
        while (octet := self._answers.read(1)) != b"\0":
            assert octet, "the browser ended"
            octets += octet
        message: Json = json.loads(octets)
        method, parameters = message.get("method", ""), message.get("params", {})
        self._events.add(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        if method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters))
        return message


def _pipe() -> tuple[int, int]:
    """The ends of a pipe, none of which is what the browser wants to find at 3 and 4."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    return ends[0], ends[1]


@contextmanager
def browser(chromium: Path, profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile."""
    commands, to_browser = _pipe()
    from_browser, answers = _pipe()
    options = (
        "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run "
        "--disable-background-networking --ignore-certificate-errors --remote-debugging-pipe"
    )
    process = subprocess.Popen(
        [
            "/bin/bash", "-c",
            f'exec "$0" {options} --user-data-dir="$1" 3<&{commands} 4>&{answers}',
            chromium, profile,
        ],
        pass_fds=(commands, answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile)},
    )  # fmt: skip
    os.close(commands)
    os.close(answers)
    with open(to_browser, "wb") as sent, open(from_browser, "rb") as received:  # noqa: PTH123
        try:
            tab = Browser(sent, received)
            tab.open_tab()
            yield tab
        finally:
            process.kill()
            process.wait(_SECONDS)
