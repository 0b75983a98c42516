"""Mail projects written by the tests, and `bulkmail` run on them as its users do."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.dovecot import PASSWORD
from peers.postfix import Postfix

REPOSITORY = Path(__file__).resolve().parents[2]

LETTER = """\
from: "People Team <people@example.com>"
subject: "Hello, {{ name }}"
text: letter.txt.j2
recipients: list.csv
servers: [peer]
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a bulkmail.yaml and one campaign."""

    folder: Path
    campaign: str

    def run(self, command: str, *arguments: str, password: str = PASSWORD) -> Run:
        """Run ``bulkmail COMMAND CAMPAIGN ARGUMENTS`` in the folder, with the server's password."""
        done = subprocess.run(
            [sys.executable, "-m", "bulkmail", command, self.campaign, *arguments],
            cwd=self.folder,
            env={**os.environ, "PEER_PASSWORD": password},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def send(self, *arguments: str, password: str = PASSWORD) -> Run:
        """``bulkmail send --json``."""
        return self.run("send", "--json", *arguments, password=password)

    def report(self) -> list[dict[str, Any]]:
        """``bulkmail report --format json``, a dictionary a recipient."""
        done = self.run("report", "--format", "json")
        assert done.code == 0, done.errors
        return [json.loads(line) for line in done.output.splitlines()]


@dataclass(frozen=True, slots=True)
class Run:
    """How a command ended."""

    code: int
    output: str
    errors: str

    @property
    def summary(self) -> dict[str, Any]:
        """The JSON object on the last line."""
        found: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return found


def starttls(postfix: Postfix, **more: object) -> dict[str, object]:
    """The server entry for Postfix's submission port."""
    return {
        "host": "127.0.0.1",
        "port": postfix.starttls_port,
        "security": "starttls",
        "ca_file": str(postfix.ca_file),
        "username": "people@example.com",
        "password": "${PEER_PASSWORD}",
        **more,
    }


def implicit_tls(postfix: Postfix, **more: object) -> dict[str, object]:
    """The server entry for the port with TLS from the first byte."""
    return {**starttls(postfix), "port": postfix.tls_port, "security": "tls", **more}


def write_server(folder: Path, name: str, server: Mapping[str, object]) -> None:
    """A bulkmail.yaml with this one server."""
    document = json.dumps({"servers": {name: dict(server)}})
    (folder / "bulkmail.yaml").write_text(document, "utf-8")


def letter_project(
    folder: Path, server: Mapping[str, object], recipients: list[str], more: str = ""
) -> Project:
    """A one-line letter to each of the recipients. `more` is appended to the campaign file."""
    write_server(folder, "peer", server)
    (folder / "templates").mkdir()
    (folder / "templates" / "letter.txt.j2").write_text("Hello {{ name }}.\n", "utf-8")
    (folder / "campaigns").mkdir()
    (folder / "campaigns" / "letter.yaml").write_text(LETTER + more, "utf-8")
    rows = "".join(f"Reader {n},{address}\n" for n, address in enumerate(recipients))
    (folder / "campaigns" / "list.csv").write_text("name,email\n" + rows, "utf-8")
    return Project(folder, "letter")


def offer_letter_project(folder: Path, server: Mapping[str, object], count: int) -> Project:
    """The shipped offer letter, for `count` recipients, each with their own address and PDF."""
    for name in ("campaigns", "templates"):
        shutil.copytree(REPOSITORY / name, folder / name)
    write_server(folder, "demo", server)
    path = folder / "campaigns" / "offer-letter.csv"
    with path.open(encoding="utf-8", newline="") as file:
        shipped = list(csv.DictReader(file))
    rows = [_another(shipped[n % len(shipped)], n, path.parent / "letters") for n in range(count)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return Project(folder, "offer-letter")


def _another(row: dict[str, str], number: int, letters: Path) -> dict[str, str]:
    """The row for another person; their PDF differs from every other by a comment at its end."""
    employee_id = f"P-{number:04}"
    pdf = (letters / f"{row['employee_id']}.pdf").read_bytes()
    (letters / f"{employee_id}.pdf").write_bytes(pdf + f"\n%{employee_id}\n".encode())
    local, _, domain = row["email"].partition("@")
    email = f"{local}.{number}@{domain}"
    return {**row, "employee_id": employee_id, "email": email}
