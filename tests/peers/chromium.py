"""Chromium without a window: what it makes of a page, as a document and as a picture."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

PROGRAM = Path("/usr/bin/chromium")
_OPTIONS = (
    "--headless",
    "--no-sandbox",  # it refuses to run as root with it; the page is ours
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    # The picture is taken when everything is drawn: a sandboxed frame would else be another
    # process's, and come when it comes. The sandbox is the same.
    "--disable-features=IsolateSandboxedIframes",
    "--run-all-compositor-stages-before-draw",
    "--virtual-time-budget=10000",
    "--window-size=900,1000",
)


def document_of(page: Path, profile: Path) -> str:
    """The page's document once it is loaded, as HTML."""
    return _run("--dump-dom", page, profile)


def picture_of(page: Path, profile: Path, target: Path) -> Picture:
    """The page as it is drawn, written to `target` as well."""
    _run(f"--screenshot={target}", page, profile)
    return Picture(target.read_bytes())


def _run(what: str, page: Path, profile: Path) -> str:
    command = [str(PROGRAM), *_OPTIONS, f"--user-data-dir={profile}", what, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return done.stdout


class Picture:
    """A PNG of 8 bits a channel, not interlaced: what Chromium writes."""

    def __init__(self, content: bytes) -> None:
        chunks = list(_chunks(content))
        header = dict(chunks)[b"IHDR"]
        self.width, self.height, depth, colours = struct.unpack(">IIBB", header[:10])
        if depth != 8 or colours not in {2, 6}:
            raise ValueError(f"a PNG of {depth} bits, kind {colours}")
        self._step = 3 if colours == 2 else 4
        packed = b"".join(octets for kind, octets in chunks if kind == b"IDAT")
        self._lines = self._unfiltered(zlib.decompress(packed))

    def count(self, red: int, green: int, blue: int) -> int:
        """How many pixels have exactly that colour."""
        wanted = bytes((red, green, blue))
        return sum(
            line[at : at + 3] == wanted
            for line in self._lines
            for at in range(0, len(line), self._step)
        )

    def _unfiltered(self, packed: bytes) -> list[bytes]:
        """PNG, 9.2: each line says how it was filtered."""
        size = self.width * self._step
        above = bytearray(size)
        lines = []
        for start in range(0, len(packed), size + 1):
            kind, line = packed[start], bytearray(packed[start + 1 : start + 1 + size])
            for at in range(size):
                left = line[at - self._step] if at >= self._step else 0
                corner = above[at - self._step] if at >= self._step else 0
                line[at] = (line[at] + _predicted(kind, left, above[at], corner)) & 0xFF
            lines.append(bytes(line))
            above = line
        return lines


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        guess = left + up - corner
        # On a tie the first of them: left, above, corner.
        return min((left, up, corner), key=lambda one: abs(guess - one))
    return (0, left, up, (left + up) // 2)[kind]


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    at = 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += size + 12
    return found
