"""A password is in nothing that anybody can read: output, logs, transcript, ledger, arguments."""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import stat
from asyncio.subprocess import Process
from pathlib import Path
from urllib.parse import quote

import pytest
import trustme
from support.mail_project import MailProject
from support.program import Ended, bulkmail, ended, running
from support.scripted_server import Rule, Turn, on, scripted

PASSWORD = "pä ss\"w'ord%41\\n<&>${HOME}{{7*7}}"
USER = "me@example.com"


def forms(password: str) -> set[bytes]:
    """The password as it may show: itself, and in what it travels in."""
    raw = password.encode()
    wrapped = [raw, f"\0{USER}\0{password}".encode()]
    texts = {base64.b64encode(text) for text in wrapped} | {raw, quote(password).encode()}
    texts |= {repr(password)[1:-1].encode(), raw.hex().encode()}
    texts |= {hashlib.md5(raw, usedforsecurity=False).hexdigest().encode()}
    return texts


def search(result: Ended, root: Path, password: str, *, but: set[str]) -> list[str]:
    """Where the password is found."""
    places = {"stdout": result.out.encode(), "stderr": result.err.encode()}
    for path in root.rglob("*"):
        if path.is_file() and path.name not in but:
            places[str(path)] = path.read_bytes()
    return [
        place for place, content in places.items() if any(f in content for f in forms(password))
    ]


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return context, str(path)


IN_BASE64 = base64.b64encode(PASSWORD.encode()).decode()
WITH_USER = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
#: What a server may do with a login, echoing what it was told included.
ENDINGS: dict[str, list[Rule]] = {
    "welcome": [],
    "refused": [on("auth", "535 5.7.8 no")],
    "echoed": [on("auth", f"535 5.7.8 `{PASSWORD}` is wrong: {IN_BASE64}")],
    "echoed later": [on("mail", f"550 5.7.1 you said {PASSWORD}")],
    "echoed at the end": [on("dot", f"554 5.6.0 {WITH_USER}")],
    "not understood": [on("auth", "504 5.5.4 unknown")],
}


@pytest.mark.parametrize(
    ("ending", "mechanism"),
    [*((ending, "PLAIN") for ending in ENDINGS), ("echoed", "LOGIN"), ("echoed", "XOAUTH2")],
)
async def test_a_password_is_in_no_output_log_transcript_or_ledger(
    project: MailProject, ending: str, mechanism: str, tls: tuple[ssl.SSLContext, str]
) -> None:
    context, ca_file = tls
    rules = ENDINGS[ending]
    async with scripted(*rules, tls=context, logins={USER: PASSWORD}) as server:
        server.extensions.append(f"AUTH {mechanism}")
        project.servers(
            server.url(
                security="starttls",
                ca_file=ca_file,
                username=USER,
                password="${THE_PASSWORD}",
                auth=mechanism.lower(),
            )
        )
        project.save()
        result = await bulkmail(
            *(project.root, "send", "letter", "--debug", "--json", "--transcript", "dialogue.txt"),
            environ={"THE_PASSWORD": PASSWORD},
        )

    assert (USER, PASSWORD) in server.tried
    assert result.code == (0 if ending == "welcome" else 1 if ending == "echoed at the end" else 3)
    assert "AUTH" in (project.root / "dialogue.txt").read_text()
    assert search(result, project.root, PASSWORD, but=set()) == []


@pytest.mark.parametrize("source", ["file", "command"])
async def test_a_password_from_a_file_or_a_command_is_nowhere_else(
    project: MailProject, source: str
) -> None:
    project.write("password.txt", PASSWORD + "\n")
    where: dict[str, object] = {
        "file": {"file": "password.txt"},
        "command": {"command": ["cat", str(project.root / "password.txt")]},
    }
    async with scripted(logins={USER: PASSWORD}) as server:
        project.servers(server.url(username=USER, password=where[source]))
        project.save()
        result = await bulkmail(
            project.root, "send", "letter", "--debug", "--transcript", "dialogue.txt"
        )

    assert result.code == 0, result.err
    assert search(result, project.root, PASSWORD, but={"password.txt"}) == []


async def test_what_a_failing_command_says_is_not_repeated(project: MailProject) -> None:
    quieter = PASSWORD.replace("'", "")
    script = project.write("token.sh", f"#!/bin/sh\ncat <<'E' >&2\n{quieter}\nE\nexit 3\n")
    script.chmod(0o700)
    async with scripted(logins={USER: quieter}) as server:
        project.servers(server.url(username=USER, password={"command": [str(script)]}))
        project.save()
        result = await bulkmail(project.root, "send", "letter", "--debug")

    assert result.code == 3
    assert "status 3" in result.err
    assert search(result, project.root, quieter, but={"token.sh"}) == []


async def test_a_password_is_in_no_process_arguments(project: MailProject) -> None:
    """Seen while the server is being talked to, children included."""
    seen: list[bytes] = []
    process: Process | None = None

    def look(turn: Turn) -> None:
        if turn.stage in {"auth", "dot"} and process is not None:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(path.read_bytes())
                except OSError:
                    continue

    project.write("password.txt", PASSWORD)
    async with scripted(logins={USER: PASSWORD}) as server:
        server.watch = look
        project.servers(server.url(username=USER, password={"file": "password.txt"}))
        project.save()
        async with running(project.root, "send", "letter") as process:
            result = await ended(process)

    assert result.code == 0
    assert seen
    assert not [line for line in seen if any(form in line for form in forms(PASSWORD))]


async def test_a_password_in_the_campaign_itself_is_in_no_message_about_it(
    project: MailProject,
) -> None:
    for wrong in ({"port": "x"}, {"password": [PASSWORD], "securty": "none"}):
        server = {"host": "h", "username": USER, "password": PASSWORD, **wrong}
        project.servers(server)
        project.save()
        result = await bulkmail(project.root, "send", "letter", "--debug")

        assert result.code == 2
        assert PASSWORD not in result.both
        assert repr(PASSWORD)[1:-1] not in result.both


async def test_a_probe_shows_no_password(project: MailProject) -> None:
    for known in (PASSWORD, "another"):
        async with scripted(logins={USER: known}) as server:
            result = await bulkmail(
                *(project.root, "probe", f"127.0.0.1:{server.port}", "--security", "none"),
                *("--username", USER, "--password-env", "THE_PASSWORD"),
                environ={"THE_PASSWORD": PASSWORD},
            )

        assert result.code == (0 if known == PASSWORD else 3), result.both
        assert (USER, PASSWORD) in server.tried
        assert search(result, project.root, PASSWORD, but=set()) == []
        assert server.count("MAIL") == 0


async def test_what_a_password_was_sent_with_is_masked_in_the_transcript(
    project: MailProject,
) -> None:
    async with scripted(logins={USER: PASSWORD}) as server:
        project.servers(server.url(username=USER, password="${THE_PASSWORD}"))
        project.save()
        for _ in range(2):
            await bulkmail(
                *(project.root, "send", "letter", "--limit", "1", "--transcript", "dialogue.txt"),
                environ={"THE_PASSWORD": PASSWORD},
            )

    path = project.root / "dialogue.txt"
    lines = path.read_text().splitlines()
    spoken = [line[line.index("C: ") :] for line in lines if "C: AUTH" in line]
    assert spoken == ["C: AUTH PLAIN ********"] * 2, "appended"
    assert any("S: 235" in line for line in lines)
    assert not any("Hello Ada" in line for line in lines), "no bodies"
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 or os.name != "posix"
