"""`make demo`: the shipped offer letters, sent to a server started for them on this machine."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from bulkmail.app.options import SendOptions
from bulkmail.app.places import HOME
from bulkmail.app.sending import send
from bulkmail.app.watch import Watch
from bulkmail.campaign.find import campaigns_around, find_campaign
from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.report.summary import Summary
from bulkmail.secret import Secret
from bulkmail.sink import Sink, SinkSettings
from bulkmail.transport.transcript import SPEAKER

CAMPAIGN = "offer-letter"
LOGIN = "demo"
#: Under the project's root; made anew by each demo.
LETTERS = Path("outbox") / "demo"


async def demo(
    where: Path,
    *,
    say: Callable[[str], object],
    watch: Watch | None = None,
    program: str = "bulkmail",
) -> Summary:
    """Send the example to a sink with STARTTLS and a login; return the run's summary.

    `program` is how the user calls it, for the next commands worth typing.
    What an earlier demo left (its letters, its ledger) is removed first. Raises
    `ConfigurationError` where the project around `where` has no such campaign.
    """
    if CAMPAIGN not in campaigns_around(where):
        raise ConfigurationError(
            Fault(
                message=f"the demo sends the {CAMPAIGN} of a checkout of bulkmail, and is run "
                f"there. A campaign to try anywhere else: {program} init my-letters"
            )
        )
    campaign = Campaign.load(find_campaign(CAMPAIGN, where))
    home = campaign.root / HOME / "demo"
    letters = _from(where, campaign.root / LETTERS)
    await asyncio.to_thread(_fresh, home, letters)
    password = secrets.token_urlsafe(16)
    settings = SinkSettings(
        directory=letters,
        ca_path=home / "ca.pem",
        username=LOGIN,
        password=Secret(password),
    )
    transcript = home / "transcript.txt"
    async with Sink(settings) as server:
        say(
            f"Local server on {server.host}:{server.port} (STARTTLS, login {LOGIN}). "
            "Nothing leaves this machine."
        )
        summary = await send(
            campaign,
            SendOptions(ledger=home / "ledger.db", transcript=transcript, handle_signals=True),
            watch=watch,
            environ={
                "BULKMAIL_DEMO_PORT": str(server.port),
                "BULKMAIL_DEMO_CA": str(settings.ca_path),
                "BULKMAIL_DEMO_PASSWORD": password,
            },
        )
    dialogue = await asyncio.to_thread(transcript.read_text, "utf-8")
    for line in _first_message(dialogue):
        say(f"  {line}")
    say("  (one message shown; --transcript FILE keeps all)")
    say("")
    say(summary.sentence())
    say(f"Letters: {letters}/   Ledger: {_from(where, home / 'ledger.db')}")
    say("")
    say(f"Look at one:        {program} preview {CAMPAIGN} --row 3 --browser")
    say(f"Your own campaign:  {program} init my-letters")
    return summary


def _from(where: Path, path: Path) -> Path:
    """A path as it is best read from `where`."""
    return path.relative_to(where) if path.is_relative_to(where) else path


def _fresh(home: Path, letters: Path) -> None:
    for folder in (home, letters):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)


def _first_message(dialogue: str) -> Iterator[str]:
    """The first connection's lines, up to the reply to its first message."""
    is_first = True
    has_content = False
    for line in dialogue.splitlines():
        if line.startswith(SPEAKER):
            is_first = line == f"{SPEAKER} 1 —"
        elif is_first:
            yield line
            if has_content and line.startswith("S: "):
                return
            has_content = has_content or line.startswith("C: [")
