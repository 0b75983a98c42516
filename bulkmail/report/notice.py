"""What whoever waits for a campaign's end is told: a mail with a table, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from bulkmail.address import parse_mailbox
from bulkmail.clock import moment, rfc3339
from bulkmail.report.export import CsvWriter
from bulkmail.report.summary import Summary
from bulkmail.report.wording import number

#: Rows of the table in a mail: what is beyond is in `bulkmail report`.
MOST_ROWS = 10_000
#: The table's name.
TABLE = "failures.csv"


def notice_json(summary: Summary, event: str, at: float) -> bytes:
    """The body of a webhook: `event`, `at`, and what `send --json` prints."""
    facts: dict[str, Any] = {"event": event, "at": rfc3339(at), **summary.to_json()}
    return json.dumps(facts, ensure_ascii=False).encode()


def notice_mail(
    summary: Summary,
    failures: Sequence[Mapping[str, Any]],
    *,
    sender: str,
    to: Iterable[str],
    at: float,
) -> EmailMessage:
    """The mail, with the table where there are failures. `sender` and `to` are mailboxes."""
    mail = EmailMessage()
    mail["From"] = _address(sender)
    mail["To"] = [_address(mailbox) for mailbox in to]
    mail["Subject"] = _subject(summary)
    mail["Date"] = format_datetime(moment(at))
    mail["Message-ID"] = make_msgid(domain=parse_mailbox(sender).address.domain)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence answers it
    mail.set_content("\n".join(_lines(summary, len(failures))))
    if failures:
        writer = CsvWriter()
        lines = [writer.header(), *(writer.line(row) for row in failures)]
        # With a BOM, or spreadsheets take it for something else.
        table = "\ufeff" + "".join(f"{line}\r\n" for line in lines)
        mail.add_attachment(table.encode(), maintype="text", subtype="csv", filename=TABLE)
    return mail


def _address(mailbox: str) -> Address:
    parsed = parse_mailbox(mailbox)
    return Address(parsed.display_name, addr_spec=parsed.address.wire)


def _subject(summary: Summary) -> str:
    counts = summary.counts
    told = [f"{number(counts.sent)} sent"]
    if counts.failed:
        told.append(f"{number(counts.failed)} failed")
    if summary.in_doubt:
        told.append(f"{number(summary.in_doubt)} in doubt")
    if summary.unsent:
        told.append(f"{number(summary.unsent)} to go")
    return f"{summary.campaign}: {', '.join(told)}"


def _lines(summary: Summary, failures: int) -> Iterable[str]:
    yield summary.sentence()
    if summary.stopped:
        yield from ("", summary.stopped)
    if failures:
        many = f"the first {number(failures)}" if failures >= MOST_ROWS else "all"
        yield from ("", f"Who failed or is in doubt, and why: {TABLE} ({many}).")
    yield ""
    for label, command in summary.next_commands():
        yield f"{label}: {command}"
