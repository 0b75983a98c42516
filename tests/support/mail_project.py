"""A mail project in an empty folder, written key by key, and what its ledger says."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bulkmail import Campaign, SendOptions, Summary, send
from bulkmail.app import records
from bulkmail.fate import State

LETTER = "letter"
PEOPLE = ("ada@example.com", "bob@example.com", "eve@example.com")


def table(emails: Iterable[str], **columns: str) -> str:
    """A CSV of these addresses, a name each, and further columns that are the same for all."""
    head = ",".join(["email", "name", *columns])
    rows = (
        ",".join([email, email.partition("@")[0].title(), *columns.values()]) for email in emails
    )
    return "\n".join([head, *rows, ""])


class MailProject:
    """One project with one campaign, `letter`, that a test changes as it needs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keys: dict[str, Any] = {
            "from": "People <people@example.com>",
            "subject": "For {{ name }}",
            "text": "letter.txt.j2",
            "recipients": "list.csv",
        }
        self.shared: dict[str, Any] = {}
        self.write("templates/letter.txt.j2", "Hello {{ name }}.\n")
        self.people(PEOPLE)

    @property
    def ledger(self) -> Path:
        """The default ledger."""
        return self.root / ".bulkmail" / "ledger.db"

    @property
    def path(self) -> Path:
        """The campaign's file."""
        return self.root / "campaigns" / f"{LETTER}.yaml"

    def write(self, name: str, content: str | bytes) -> Path:
        """A file below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def people(self, emails: Iterable[str], **columns: str) -> None:
        """The recipient list."""
        self.write("campaigns/list.csv", table(emails, **columns))

    def many(self, count: int) -> list[str]:
        """A list of so many; their addresses."""
        emails = [f"reader{number}@example.com" for number in range(count)]
        self.people(emails)
        return emails

    def servers(self, *servers: Mapping[str, object]) -> None:
        """The campaign's servers, in order of preference."""
        self.keys["servers"] = [dict(server) for server in servers]

    def save(self, **keys: Any) -> Path:
        """Write the campaign (and bulkmail.yaml) with these keys changed; None removes one."""
        self.keys |= keys
        self.keys = {key: value for key, value in self.keys.items() if value is not None}
        text = yaml.safe_dump(self.keys, allow_unicode=True, sort_keys=False)
        if self.shared:
            self.write("bulkmail.yaml", yaml.safe_dump(self.shared, sort_keys=False))
        return self.write(f"campaigns/{LETTER}.yaml", text)

    async def send(
        self, *, environ: Mapping[str, str] | None = None, watch: Any = None, **options: Any
    ) -> Summary:
        """Save, load and send in this process."""
        campaign = Campaign.load(self.save())
        return await send(campaign, SendOptions(**options), environ=environ or {}, watch=watch)

    async def report(self, campaign: str = LETTER) -> dict[str, dict[str, Any]]:
        """The report's rows by address."""
        path = self.ledger
        rows = records.report(self.root, campaign, ledger=path)
        return {str(row["email"]): row async for row in rows}

    async def states(self, campaign: str = LETTER) -> dict[str, str]:
        """State by address."""
        rows = await self.report(campaign)
        return {email: str(row["state"]) for email, row in rows.items()}

    def sql(self, query: str) -> Any:
        """What a question to the ledger's file gives: for what no report tells."""
        connection = sqlite3.connect(self.ledger)
        try:
            found = connection.execute(query).fetchall()
            connection.commit()
        finally:
            connection.close()
        return found

    def a_day_passes(self) -> None:
        """For who waits to be tried again."""
        self.sql("UPDATE delivery SET due_at = due_at - 86400 WHERE due_at > 0")


def last_json(output: str) -> dict[str, Any]:
    """The object on the last line of stdout."""
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


STATES = frozenset(map(str, State))
