"""A project in a temporary folder, and one row of it."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Delivery
from bulkmail.message.composer import Composer
from bulkmail.message.mail_object import MailObject

INSTANT = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)


class Project:
    """Writes a campaign and its files, and composes its messages."""

    def __init__(self, root: Path, *, is_new: bool = True) -> None:
        self.root = root
        self.keys: dict[str, Any] = {
            "from": "People Team <people@example.com>",
            "subject": "Your offer",
            "recipients": "offer.csv",
            "servers": [{"host": "smtp.example.com"}],
            "schedule": {"timezone": "Asia/Shanghai"},
        }
        for folder in ("campaigns", "templates") if is_new else ():
            (root / folder).mkdir()

    instant = INSTANT

    @staticmethod
    def content(mail: MailObject) -> bytes:
        return b"".join(mail.chunks)

    @classmethod
    def parsed(cls, mail: MailObject) -> EmailMessage:
        return email.message_from_bytes(cls.content(mail), policy=email.policy.SMTP)

    @classmethod
    def text(cls, mail: MailObject, kind: Literal["plain", "html"] = "plain") -> str:
        """The body of that kind as a reader gets it, line ends as LF."""
        body = cls.parsed(mail).get_body((kind,))
        assert body is not None
        return str(body.get_content()).replace("\r\n", "\n")

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def template(self, name: str, source: str) -> Path:
        return self.file(f"templates/{name}", source)

    def campaign(self, **keys: Any) -> Campaign:
        written = self.keys | {key.removesuffix("_"): value for key, value in keys.items()}
        if not written.keys() & {"text", "html", "body"}:
            self.template("plain.txt.j2", "Hello\n")
            written["text"] = "plain.txt.j2"
        if not (self.root / "campaigns/offer.csv").exists():
            self.file("campaigns/offer.csv", "email\n")
        text = yaml.safe_dump(written, allow_unicode=True, sort_keys=False, width=10_000)
        return Campaign.load(self.file("campaigns/offer.yaml", text))

    def composer(self, **keys: Any) -> Composer:
        return Composer(self.campaign(**keys))

    async def compose(self, fields: Mapping[str, Any] | None = None, **keys: Any) -> MailObject:
        """The message of one row, made at INSTANT."""
        return await self.composer(**keys).compose(delivery(**(fields or {})), INSTANT)

    async def faults(self, fields: Mapping[str, Any] | None = None, **keys: Any) -> list[Fault]:
        """What is wrong with the campaign, or with one row of it."""
        with pytest.raises(ConfigurationError) as caught:
            await self.compose(fields, **keys)
        return list(caught.value.faults)


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
