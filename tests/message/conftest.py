"""A project in a temporary folder, and one row of it."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from bulkmail.campaign.load import Campaign
from bulkmail.fate import Delivery
from bulkmail.message.composer import Composer
from bulkmail.message.mail_object import MailObject

INSTANT = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)


class Project:
    """Writes a campaign and its files, and composes its messages."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keys: dict[str, Any] = {
            "from": "People Team <people@example.com>",
            "subject": "Your offer",
            "recipients": "offer.csv",
            "servers": [{"host": "smtp.example.com"}],
            "schedule": {"timezone": "Asia/Shanghai"},
        }
        for folder in ("campaigns", "templates"):
            (root / folder).mkdir()

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def template(self, name: str, source: str) -> Path:
        return self.file(f"templates/{name}", source)

    def campaign(self, **keys: Any) -> Campaign:
        written = self.keys | {key.removesuffix("_"): value for key, value in keys.items()}
        if "text" not in written and "html" not in written:
            self.template("plain.txt.j2", "Hello\n")
            written["text"] = "plain.txt.j2"
        text = yaml.safe_dump(written, allow_unicode=True, sort_keys=False, width=10_000)
        return Campaign.load(self.file("campaigns/offer.yaml", text))

    def composer(self, **keys: Any) -> Composer:
        return Composer(self.campaign(**keys))

    async def compose(self, fields: Mapping[str, Any] | None = None, **keys: Any) -> MailObject:
        return await self.composer(**keys).compose(delivery(**(fields or {})), INSTANT)


def delivery(row: int = 1, address: str = "li.wei@example.com", **fields: Any) -> Delivery:
    fields.setdefault("email", address)
    return Delivery(
        id=row,
        epoch=1,
        row=row,
        key=address.lower(),
        address=address,
        fields=fields,
        attempts=0,
        doubts=0,
        first_attempt_at=None,
        message_id=f"<{row}.abc@example.com>",
    )


def content(mail: MailObject) -> bytes:
    return b"".join(mail.chunks)


def parsed(mail: MailObject) -> EmailMessage:
    return email.message_from_bytes(content(mail), policy=email.policy.SMTP)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
