"""`bulkmail preview`: what one recipient gets."""

from __future__ import annotations

import tempfile
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from bulkmail.cli.output import complain, say, say_bytes
from bulkmail.cli.parameters import CampaignArgument, wrong_usage
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible

if TYPE_CHECKING:
    from bulkmail.app.previewing import Preview
    from bulkmail.report.letter import Letter
    from bulkmail.smtp.envelope import Envelope


def preview(
    campaign: CampaignArgument,
    *,
    row: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The recipient in this row.")
    ] = None,
    email: Annotated[
        str | None, typer.Option(metavar="A", help="The recipient with this address.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser", help="Open it in a browser, as a mail program shows it.")
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the message's bytes instead.")] = False,
) -> None:
    """Show what one recipient gets.

    The first one, or the one chosen. Needs no server, no password and no ledger, and sends
    nothing. The page of --browser has headers, HTML, text, and the files with their size and
    SHA-256; nothing in it runs, and the letter's images are inside it.

    Example: bulkmail preview offer-letter --row 3 --browser
    """
    if row is not None and email is not None:
        raise wrong_usage("--row and --email both choose the recipient; give one of them.")
    if browser and raw:
        raise wrong_usage("--browser shows a page and --raw the bytes; give one of them.")
    shown = run(_preview(campaign, row=row, email=email))
    for notice in shown.notices:
        complain(visible(notice))
    if raw:
        say_bytes(shown.content)
        return
    if shown.text is not None:
        _show_text(shown, browser=browser)
        _tell_next(campaign, "YOUR-NUMBER")
        return
    from bulkmail.report.letter import Letter, as_text

    letter = Letter.parse(shown.content)
    say(as_text(letter, shown.envelope))
    if browser:
        _open_page(letter, shown.envelope)
    _tell_next(campaign, "YOU@EXAMPLE.COM")


async def _preview(text: str, *, row: int | None, email: str | None) -> Preview:
    from bulkmail.app import previewing
    from bulkmail.cli.campaigns import open_campaign

    return await previewing.preview(open_campaign(text), row=row, email=email)


def _show_text(shown: Preview, *, browser: bool) -> None:
    """A text message: whom it goes to, what it says, what it takes."""
    text = shown.text
    if text is None:
        return
    if browser:
        raise wrong_usage("--browser shows HTML, and a text message has none.")
    say(f"To: {visible(text.number)}")
    for line in text.text.splitlines():
        say(visible(line))
    cost = f", about {shown.cost}" if shown.cost else ""
    say(f"({text.text_size}{cost})")


def _open_page(letter: Letter, envelope: Envelope) -> None:
    """Write the page where only its owner can read it, and show it."""
    from bulkmail.report.page import as_page

    with tempfile.NamedTemporaryFile(  # 0600, and kept: the browser reads it when it likes
        "w", encoding="utf-8", prefix="bulkmail-preview-", suffix=".html", delete=False
    ) as page:
        page.write(as_page(letter, envelope))
    say(f"\nPage: {page.name}")
    if not webbrowser.open(f"file://{page.name}"):
        complain("No browser could be opened; open the page by hand.")


def _tell_next(typed: str, whom: str) -> None:
    from bulkmail.cli.campaigns import again

    who = again(typed, None)
    complain(f"\nTo yourself, over the server:  bulkmail send {who} --test-to {whom}")
