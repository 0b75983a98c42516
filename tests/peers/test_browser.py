"""`preview --browser` in Chromium: the letter is drawn, and nothing of it runs or is fetched."""

from __future__ import annotations

import socketserver
import struct
import tempfile
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from peers import conftest
from peers.chromium import PROGRAM, document_of, picture_of
from support.mail_project import MailProject
from support.program import bulkmail

pytestmark = pytest.mark.peers

#: Colours that no style sheet of ours has.
PINK = (255, 0, 170)
GREEN = (0, 251, 7)


@pytest.fixture(autouse=True)
def _chromium() -> None:
    if not PROGRAM.exists():
        conftest.go_without("chromium not installed: as root, apt-get install chromium")


@pytest.fixture
def project(tmp_path: Path) -> MailProject:
    return MailProject(tmp_path)


@pytest.fixture
def profile() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def asked() -> Iterator[tuple[int, list[str]]]:
    """The port of a web server, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], paths
        server.shutdown()


async def page_of(project: MailProject) -> Path:
    """What `preview --browser` writes."""
    project.save()
    folder = project.root / "pages"
    folder.mkdir()
    shown = await bulkmail(
        project.root,
        "preview",
        "letter",
        "--browser",
        environ={"TMPDIR": str(folder), "BROWSER": "true"},
    )
    assert shown.code == 0, shown.err
    (page,) = folder.glob("bulkmail-preview-*.html")
    return page


async def test_the_letter_its_images_and_files_are_drawn(
    project: MailProject, profile: Path
) -> None:
    project.write("images/pink.png", png(*PINK))
    project.write("handbook.pdf", b"%PDF handbook")
    project.write("templates/l.html.j2", '<h1>你好</h1><img src="images/pink.png" alt="">')
    project.servers({"host": "mail.example.com"})
    project.keys |= {"html": "l.html.j2", "attachments": ["handbook.pdf"]}
    page = await page_of(project)

    picture = picture_of(page, profile, project.root / "page.png")
    document = document_of(page, profile)

    assert (picture.width, picture.height) == (900, 1000)
    assert picture.count(*PINK) >= 100 * 100
    assert "<h1>For Ada</h1>" in document
    assert "handbook.pdf" in document


async def test_nothing_of_a_letter_runs_or_is_fetched(
    project: MailProject, profile: Path, asked: tuple[int, list[str]]
) -> None:
    port, paths = asked
    site = f"http://127.0.0.1:{port}"
    colour = f"rgb{GREEN}"
    project.write(
        "templates/l.html.j2",
        f"""<html><head><meta http-equiv="refresh" content="0;url={site}/refresh">
        <base href="{site}/base/"><script src="{site}/script.js"></script></head>
        <body onload="document.body.style.background='{colour}'">
        <script>document.body.style.background = '{colour}';
        parent.document.title = 'taken over'; location = '{site}/location'</script>
        <img src="data:," onerror="document.body.style.background='{colour}'">
        <iframe src="{site}/frame"></iframe><object data="{site}/object"></object>
        <form action="{site}/form"><input autofocus onfocus="this.form.submit()"></form>
        <a href="javascript:alert(1)">here</a><svg onload="alert(1)"></svg></body></html>""",
    )
    project.servers({"host": "mail.example.com"})
    project.keys |= {"html": "l.html.j2", "subject": "</title><script>document.title=1</script>"}
    page = await page_of(project)

    document = document_of(page, profile)
    picture = picture_of(page, profile, project.root / "page.png")

    assert "<title>&lt;/title&gt;&lt;script&gt;document.title=1&lt;/script&gt;</title>" in document
    assert "taken over" not in document.partition("<body>")[0]
    assert picture.count(*GREEN) == 0
    assert not paths


def png(red: int, green: int, blue: int, side: int = 120) -> bytes:
    """A square of one colour."""

    def chunk(kind: bytes, octets: bytes) -> bytes:
        checked = kind + octets
        return struct.pack(">I", len(octets)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    lines = (b"\0" + bytes((red, green, blue)) * side) * side
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )
