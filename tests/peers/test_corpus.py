"""The golden corpus, read by other people's parsers: npm's mailparser and Dovecot."""

from __future__ import annotations

import asyncio
import imaplib
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from peers.dovecot import PASSWORD, Dovecot
from support.corpus import Case, cases

pytestmark = pytest.mark.peers

INSTANT = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
GOOD = [case for case in cases() if "fault" not in case.expect]
SCRIPT = Path(__file__).with_name("mailparser.mjs")
FULL = {"plain": "text/plain", "html": "text/html", "calendar": "text/calendar"}
#: What a comparison is made of: mailparser leaves out what it has no name for.
COMPARED = ("subject", "to", "from", "text", "html", "attachments")


@pytest.fixture(scope="module")
def mailparser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that npm installed the package into."""
    folder = tmp_path_factory.mktemp("mailparser")
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node is not on PATH")
    command = [
        npm,
        "install",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        "mailparser@3.9.1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"npm cannot install mailparser: {done.stderr[-200:]}")
    return folder


async def written(folder: Path) -> dict[str, tuple[Case, bytes]]:
    """All messages, by the name of a file; written into `folder`."""
    found = {}
    (folder / "messages").mkdir()
    for number, case in enumerate(GOOD):
        mail = await case.mail(folder / str(number), INSTANT)
        content = b"".join(mail.chunks)
        (folder / "messages" / f"{number:03}.eml").write_bytes(content)
        found[f"{number:03}.eml"] = case, content
    return found


async def test_mailparser_reads_what_was_written_by_hand(mailparser: Path, tmp_path: Path) -> None:
    messages = await written(tmp_path)
    command = ["node", str(SCRIPT), str(mailparser), str(tmp_path / "messages")]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, check=True, timeout=300
    )

    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    wrong = [
        (case.name, key, found[name][key], case.expect[key])
        for name, (case, _) in messages.items()
        for key in COMPARED
        if key in case.expect and not same(key, found[name][key], case.expect[key])
    ]
    assert not wrong


def same(key: str, found: Any, expected: Any) -> bool:
    """Whether it is the same; quotes around a name and the last line end are mailparser's own."""
    if key in {"to", "from"}:
        return bare(found) == bare(expected)
    if key in {"text", "html"}:
        return str(found).rstrip("\n") == str(expected).rstrip("\n")
    return bool(found == expected)


def bare(mailbox: str) -> str:
    """Without quotes, and with the domain in A-labels: mailparser shows it to people."""
    text = mailbox.replace("\\", "").replace('"', "")
    return re.sub(r"@([^>\s]+)", lambda match: "@" + match[1].encode("idna").decode(), text)


async def test_dovecot_sees_the_same_structure(dovecot: Dovecot, tmp_path: Path) -> None:
    messages = await written(tmp_path)
    wrong = []
    with imaplib.IMAP4("127.0.0.1", dovecot.imap_port, timeout=60) as imap:
        imap.login("corpus@example.com", PASSWORD)
        imap.select("INBOX")
        for number, (case, content) in enumerate(messages.values(), 1):
            imap.append("INBOX", "", "", content)
            imap.noop()
            _, answer = imap.fetch(str(number), "(BODYSTRUCTURE)")
            found = structure(whole(answer))
            expected = re.sub(
                r"\b(?<!/)(plain|html|calendar)\b(?!/)", full, case.expect.get("structure", found)
            )
            if found != expected:
                wrong.append((case.name, found, expected))
    assert not wrong


def full(match: re.Match[str]) -> str:
    return FULL[match[0]]


def whole(answer: list[Any]) -> str:
    """A response in one piece, literals as quoted strings."""
    text = ""
    for piece in answer:
        if isinstance(piece, tuple):
            literal = piece[1].decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
            text += re.sub(r"\{\d+\}$", "", piece[0].decode("latin-1")) + f'"{literal}"'
        else:
            text += piece.decode("latin-1")
    return text.partition("BODYSTRUCTURE ")[2]


_TOKEN = re.compile(r'\(|\)|"((?:[^"\\]|\\.)*)"|[^\s()"]+')


def structure(text: str) -> str:
    """``mixed(text/plain application/pdf)`` of a BODYSTRUCTURE (RFC 9051, 7.5.2)."""
    stack: list[list[Any]] = [[]]
    for token in _TOKEN.finditer(text):
        if token[0] == "(":
            stack.append([])
        elif token[0] == ")":
            closed = stack.pop()
            stack[-1].append(closed)
            if len(stack) == 1:
                break
        else:
            stack[-1].append(token[0] if token[1] is None else token[1])
    return described(stack[0][0])


def described(part: list[Any]) -> str:
    if isinstance(part[0], list):
        children = [child for child in part if isinstance(child, list)]
        count = next(at for at, child in enumerate(part) if isinstance(child, str))
        inner = " ".join(described(child) for child in children[:count])
        return f"{part[count].lower()}({inner})"
    return f"{part[0]}/{part[1]}".lower()
