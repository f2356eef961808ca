"""Where the files of a log come from: its public URL, or a folder with a copy of it."""

from __future__ import annotations

import http.client
import urllib.parse
from pathlib import Path
from typing import Protocol

from tegata.transparency.tiles import TILE_WIDTH, TileId, item_octets, tile_path

_TIMEOUT = 30.0
_CHECKPOINT_MAXIMUM = 256 * 1024


class OutOfReach(Exception):
    """A file of the log cannot be read; nothing is proven either way."""


class _Missing(OutOfReach):
    pass


class LogSource(Protocol):
    """The files of a log, by their names below its prefix."""

    def read(self, name: str, limit: int) -> bytes:
        """A file's octets, at most one more than the limit; `OutOfReach`."""
        ...


class FolderSource:
    """A copy of the log: `checkpoint` and `tile/` in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str, limit: int) -> bytes:
        """See `LogSource`."""
        try:
            with (self._folder / name).open("rb") as file:
                return file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _Missing(f"{self._folder / name}: {error.strerror}") from error
        except OSError as error:
            raise OutOfReach(f"{self._folder / name}: {error.strerror}") from error


class WebSource:
    """The log where it is published. Redirects are not followed; one connection is kept."""

    def __init__(self, url: str) -> None:
        split = urllib.parse.urlsplit(url)
        if split.scheme not in {"http", "https"} or not split.hostname:
            raise OutOfReach(f"{url}: neither a folder nor a URL")
        kind = (
            http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
        )
        self._url = url.rstrip("/")
        self._path = split.path.rstrip("/")
        self._connection = kind(split.hostname, split.port, timeout=_TIMEOUT)

    def read(self, name: str, limit: int) -> bytes:
        """See `LogSource`."""
        try:
            try:
                return self._ask(name, limit)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                # It was closed while nothing was asked: once more on a new one.
                self._connection.close()
                return self._ask(name, limit)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise OutOfReach(f"{self._url}/{name}: {error}") from error

    def _ask(self, name: str, limit: int) -> bytes:
        self._connection.request("GET", f"{self._path}/{name}")
        answer = self._connection.getresponse()
        octets = answer.read(limit + 1)
        if not answer.isclosed():
            self._connection.close()
        if answer.status == http.client.NOT_FOUND:
            raise _Missing(f"{self._url}/{name}: HTTP 404")
        if answer.status != http.client.OK:
            raise OutOfReach(f"{self._url}/{name}: HTTP {answer.status}")
        return octets


def open_source(text: str) -> LogSource:
    """A URL, or else a folder."""
    return WebSource(text) if "://" in text else FolderSource(Path(text))


def read_checkpoint(source: LogSource, name: str = "checkpoint") -> bytes:
    """A checkpoint's octets; by default the newest one's."""
    return source.read(name, _CHECKPOINT_MAXIMUM)


class TileFiles:
    """Tiles and bundles of a log, each read once."""

    def __init__(self, source: LogSource, *, keep: bool) -> None:
        self._source = source
        self._kept: dict[TileId, bytes] | None = {} if keep else None

    def __call__(self, tile: TileId, width: int) -> bytes:
        """A tile's octets, with one more if there are more; `OutOfReach`."""
        if self._kept is not None and tile in self._kept:
            return self._kept[tile]
        octets = self._read(tile, width)
        if self._kept is not None:
            self._kept[tile] = octets
        return octets

    def _read(self, tile: TileId, width: int) -> bytes:
        limit = width * item_octets(tile.level)
        try:
            return self._source.read(tile_path(tile, width), limit)
        except _Missing:
            if width == TILE_WIDTH:
                raise
        # A partial tile may go once the full one is there (C2SP tlog-tiles).
        whole = self._source.read(tile_path(tile), TILE_WIDTH * item_octets(tile.level))
        return whole[:limit]
