"""How fast messages are composed: ours against the standard library's EmailMessage.

    python benchmarks/compose.py [--messages 2000] [--rounds 15] [--profile]

The same personal message of about 3.3 kB both ways: text and HTML, not ASCII, a display name and a
subject that need encoding. *Composing* is all that lies between the rendered texts and the bytes:
addresses parsed and checked, headers encoded and folded, a transfer encoding chosen and applied,
MIME around it. Rendering the templates is nobody's merit and in neither: both are given the same
From, To, subject, text and HTML as texts, different for each row; ours gets them through templates
of one variable, whose rendering counts as ours. What each side makes once a campaign (our frame,
their policy) is made before. Nothing is signed.

Both run in turns, in rounds, so that neither has the quieter machine; the ratio is that of the
medians of CPU time. The two messages are parsed and held equal first.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from bulkmail.campaign.load import Campaign
from bulkmail.fate import Delivery
from bulkmail.message.composer import Composer

FROM = "人力资源部 <people@example.com>"
CAMPAIGN = f"""\
from: {FROM}
subject: "{{{{ subject }}}}"
text: offer.txt.j2
html: offer.html.j2
recipients: [{{email: a@example.com}}]
servers: [{{host: smtp.example.com}}]
schedule: {{timezone: UTC}}
"""
PARAGRAPH = "您好，{name}：我们很高兴地通知您，您已被录用为高级工程师，月薪 32,000 元。\n"
INSTANT = datetime(2026, 12, 1, 1, tzinfo=UTC)
Compose = Callable[[Delivery], bytes]


def delivery(number: int) -> Delivery:
    """A row with its texts rendered."""
    name = f"王芳{number}"
    text = PARAGRAPH.format(name=name) * 9
    html = "".join(f"<p>{line}</p>\n" for line in text.splitlines())
    fields = {
        "name": name,
        "subject": f"录用通知书 {name}",
        "text": text,
        "html": f"<html><body>{html}</body></html>\n",
    }
    return Delivery(
        id=number,
        epoch=1,
        row=number,
        key=f"r{number}@example.com",
        address=f"r{number}@example.com",
        fields=fields,
        attempts=0,
        doubts=0,
        first_attempt_at=None,
        message_id=f"<{number}.bench@example.com>",
    )


def ours(root: Path) -> Compose:
    """The way campaigns do."""
    (root / "templates").mkdir()
    (root / "templates/offer.txt.j2").write_text("{{ text }}", "utf-8")
    (root / "templates/offer.html.j2").write_text("{{ html | safe }}", "utf-8")
    (root / "offer.yaml").write_text(CAMPAIGN, "utf-8")
    composer = Composer(Campaign.load(root / "offer.yaml"))

    def compose(row: Delivery) -> bytes:
        step = composer.compose(row, INSTANT)
        try:
            step.send(None)
        except StopIteration as done:
            return b"".join(done.value.chunks)
        raise AssertionError("composing without files awaits nothing")

    return compose


def theirs(row: Delivery) -> bytes:
    """The way the standard library's documentation does."""
    message = EmailMessage()
    message["Date"] = INSTANT
    message["From"] = FROM
    message["To"] = f"{row.fields['name']} <{row.address}>"
    message["Subject"] = row.fields["subject"]
    message["Message-ID"] = row.message_id
    message.set_content(row.fields["text"])
    message.add_alternative(row.fields["html"], subtype="html")
    return message.as_bytes(policy=SMTP)


def facts(content: bytes) -> list[str]:
    """What a reader gets."""
    message = message_from_bytes(content, _class=EmailMessage, policy=policy.SMTP)
    names = ("from", "to", "subject", "message-id")
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    texts = [body.get_content().replace("\r\n", "\n") for body in bodies if body is not None]
    date = str(message["date"].datetime)
    return [date, *(str(message[name]) for name in names), *texts]


def cpu(compose: Compose, rows: list[Delivery]) -> float:
    """Microseconds of CPU a message."""
    start = time.process_time()
    for row in rows:
        compose(row)
    return (time.process_time() - start) / len(rows) * 1e6


def main() -> None:
    """Run both, in turns, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2000, help="a round")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    rows = [delivery(number) for number in range(1, options.messages + 1)]
    with tempfile.TemporaryDirectory() as folder:
        compose = ours(Path(folder))
        assert facts(compose(rows[0])) == facts(theirs(rows[0]))
        if options.profile:
            profile(compose, rows)
            return
        gc.freeze()
        pairs = [
            (cpu(compose, rows), cpu(theirs, rows[: len(rows) // 20 + 1]))
            for _ in range(options.rounds)
        ]
    fast, slow = (statistics.median(times) for times in zip(*pairs, strict=True))
    for name, took, content in (
        ("bulkmail", fast, compose(rows[0])),
        ("EmailMessage", slow, theirs(rows[0])),
    ):
        size = len(content)
        print(f"{name + ':':<14}{took:8.1f} us {1e6 / took:9,.0f} messages/s of {size:,} octets")
    print(f"{'ratio:':<14}{slow / fast:8.1f}")


def profile(compose: Compose, rows: list[Delivery]) -> None:
    """Where our time goes."""
    profiler = cProfile.Profile()
    profiler.enable()
    for row in rows:
        compose(row)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
