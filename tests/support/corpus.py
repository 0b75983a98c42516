"""The golden corpus of messages: cases written by hand, in tests/message/corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bulkmail.campaign.load import Campaign
from bulkmail.fate import Delivery
from bulkmail.message.composer import Composer
from bulkmail.message.mail_object import MailObject

FOLDER = Path(__file__).parent.parent / "message" / "corpus"
#: What a case writes beside its campaign, by the key of the case.
_TEMPLATES = {"text": "t.txt.j2", "html": "h.html.j2", "body": "b.md.j2"}


@dataclass(frozen=True, slots=True)
class Case:
    """One message: what it is made of, and what a reader has to get."""

    name: str
    keys: dict[str, Any]
    row: dict[str, Any]
    files: dict[str, str]
    templates: dict[str, str]
    expect: dict[str, Any]

    def campaign(self, root: Path) -> Campaign:
        """Write the project, and load its campaign."""
        keys: dict[str, Any] = {
            "from": "People Team <people@example.com>",
            "subject": "Your offer",
            "recipients": [{"email": "li.wei@example.com"}],
            "servers": [{"host": "smtp.example.com"}],
            "schedule": {"timezone": "Asia/Shanghai"},
        }
        templates = self.templates or {"text": "Hello\n"}
        keys |= {key: _TEMPLATES[key] for key in templates} | self.keys
        contents = {f"templates/{_TEMPLATES[key]}": source for key, source in templates.items()}
        contents |= self.files
        contents["campaigns/offer.yaml"] = yaml.safe_dump(keys, allow_unicode=True)
        for name, content in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
        return Campaign.load(root / "campaigns/offer.yaml")

    async def mail(self, root: Path, instant: Any) -> MailObject:
        """The message. Raises `ConfigurationError` where it has a fault."""
        address = "li.wei@example.com"
        delivery = Delivery(
            id=1,
            epoch=1,
            row=1,
            key=address,
            address=address,
            fields={"email": address} | self.row,
            attempts=0,
            doubts=0,
            first_attempt_at=None,
            message_id="<1.abc@example.com>",
        )
        return await Composer(self.campaign(root)).compose(delivery, instant)


def cases() -> Iterator[Case]:
    """All of them, in the files' order."""
    for path in sorted(FOLDER.glob("*.yaml")):
        for written in yaml.safe_load(path.read_text("utf-8")):
            case = _expanded(written)
            yield Case(
                name=case["name"],
                keys=case.get("keys", {}),
                row=case.get("row", {}),
                files=case.get("files", {}),
                templates={key: case[key] for key in _TEMPLATES if key in case},
                expect=case["expect"],
            )


def _expanded(value: Any) -> Any:
    """`repeat: [text, count]` is that text so often; `list: [text, count]` so many, numbered."""
    if isinstance(value, list):
        return [_expanded(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "repeat" in value:
        text, count = value["repeat"]
        repeated = text * count
        return (repeated.strip() if value.get("strip") else repeated) + value.get("behind", "")
    if "list" in value:
        text, count = value["list"]
        return [text.replace("{}", str(number)) for number in range(count)]
    return {key: _expanded(part) for key, part in value.items()}
