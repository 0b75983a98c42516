"""How fast messages are composed: ours against the standard library's EmailMessage.

    python benchmarks/compose.py [--messages 5000]

The same personal message both ways: text and HTML of about 3 kB together, not ASCII, a display
name and a subject that need encoding. Rendering the templates is in both. Prints messages per
second of CPU, and the ratio.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

import jinja2

from bulkmail.campaign.load import Campaign
from bulkmail.fate import Delivery
from bulkmail.message.composer import Composer

CAMPAIGN = """\
from: 人力资源部 <people@example.com>
subject: 录用通知书 {{ name }}
text: offer.txt.j2
html: offer.html.j2
recipients: [{email: a@example.com}]
servers: [{host: smtp.example.com}]
"""
PARAGRAPH = (
    "您好，{{ name }}：我们很高兴地通知您，您已被录用为{{ title }}，月薪 {{ salary }} 元。\n"
)
TEXT = PARAGRAPH * 9
HTML = (
    "<html><body>" + "".join(f"<p>{PARAGRAPH.strip()}</p>\n" for _ in range(10)) + "</body></html>"
)
INSTANT = datetime(2026, 12, 1, 1, tzinfo=UTC)


def fields(number: int) -> dict[str, str]:
    """A row's columns."""
    return {"name": f"王芳{number}", "title": "高级工程师", "salary": "32,000"}


def ours(root: Path) -> Callable[[int], int]:
    """Compose number N the way campaigns do."""
    (root / "templates").mkdir()
    (root / "templates/offer.txt.j2").write_text(TEXT, "utf-8")
    (root / "templates/offer.html.j2").write_text(HTML, "utf-8")
    (root / "offer.yaml").write_text(CAMPAIGN, "utf-8")
    composer = Composer(Campaign.load(root / "offer.yaml"))

    def compose(number: int) -> int:
        delivery = Delivery(
            id=number,
            epoch=1,
            row=number,
            key=f"r{number}@example.com",
            address=f"r{number}@example.com",
            fields=fields(number),
            attempts=0,
            doubts=0,
            first_attempt_at=None,
            message_id=f"<{number}.bench@example.com>",
        )
        step = composer.compose(delivery, INSTANT)
        try:
            step.send(None)
        except StopIteration as done:
            return int(done.value.size)
        raise AssertionError("composing without files awaits nothing")

    return compose


def theirs() -> Callable[[int], int]:
    """Compose number N with the standard library."""
    text, html = jinja2.Template(TEXT), jinja2.Template(HTML, autoescape=True)

    def compose(number: int) -> int:
        row = fields(number)
        message = EmailMessage()
        message["Date"] = format_datetime(INSTANT)
        message["From"] = Address("人力资源部", "people", "example.com")
        message["To"] = Address(row["name"], f"r{number}", "example.com")
        message["Subject"] = f"录用通知书 {row['name']}"
        message["Message-ID"] = f"<{number}.bench@example.com>"
        message.set_content(text.render(row))
        message.add_alternative(html.render(row), subtype="html")
        return len(message.as_bytes(policy=SMTP))

    return compose


def rate(compose: Callable[[int], int], messages: int) -> tuple[float, int]:
    """Messages per second of CPU, and the mean size in octets."""
    compose(0)
    start = time.process_time()
    size = sum(compose(number) for number in range(1, messages + 1))
    return messages / (time.process_time() - start), size // messages


def main() -> None:
    """Run both and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    messages = parser.parse_args().messages
    with tempfile.TemporaryDirectory() as folder:
        fast, size = rate(ours(Path(folder)), messages)
    slow, their_size = rate(theirs(), max(1, messages // 10))
    print(f"bulkmail:     {fast:8,.0f} messages/s of {size:,} octets")
    print(f"EmailMessage: {slow:8,.0f} messages/s of {their_size:,} octets")
    print(f"ratio:        {fast / slow:8.1f}")


if __name__ == "__main__":
    main()
