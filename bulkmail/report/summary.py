"""What a run came to: one value, as JSON for scripts and as a sentence for a person."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from bulkmail.clock import rfc3339
from bulkmail.errors import EXIT_STOPPED, EXIT_WAITING
from bulkmail.fate import Counts, Halt
from bulkmail.report.wording import counted, local, number, rate, span
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Summary:
    """The end of one run. Counts are the whole campaign's; elapsed time and rate this run's."""

    #: The ledger's name of the campaign.
    campaign: str
    counts: Counts
    elapsed_seconds: float
    #: Accepted by a server in this run; in a dry run: files written.
    sent_in_run: int
    failed_in_run: int
    exit_code: int
    dry_run: bool = False
    #: `--limit` left recipients for another run.
    limit_reached: bool = False
    #: SIGINT or SIGTERM ended it.
    interrupted: bool = False
    #: Why it stopped early (exit 3), or what it waits for (75): a sentence.
    stopped: str = ""
    #: What to do about it, where that is known: what the provider wants as a password.
    stopped_detail: str = ""
    ledger: Path | None = None
    #: Where a dry run wrote its files.
    out: Path | None = None
    #: Epoch seconds at which something is due again.
    waiting_until: float | None = None
    #: Where a test message went instead of to its recipient.
    test_to: str | None = None
    #: The options that chose whose message it was, as they are typed; "" for the first row's.
    test_of: str = ""
    #: What a person ordered of the campaign, and did not lift.
    halt: Halt | None = None

    @property
    def messages_per_second(self) -> float:
        """Messages accepted in a second of this run."""
        return self.sent_in_run / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0

    @property
    def total(self) -> int:
        """Recipients of the whole campaign, duplicates not among them."""
        return self.counts.total

    @property
    def sent(self) -> int:
        """Rows that a server accepted; in a dry run: files written."""
        return self.counts.sent

    @property
    def failed(self) -> int:
        """Rows that failed for good."""
        return self.counts.failed

    @property
    def deferred(self) -> int:
        """Rows that are tried again later."""
        return self.counts.deferred

    @property
    def pending(self) -> int:
        """Rows that wait for their first try."""
        return self.counts.pending

    @property
    def suppressed(self) -> int:
        """Rows that get nothing, each with its reason."""
        return self.counts.suppressed

    @property
    def duplicates(self) -> int:
        """Rows left out, as the key of one before them is theirs."""
        return self.counts.duplicates

    @property
    def in_doubt(self) -> int:
        """Rows in doubt. One that is still `sending` when its run is over is in doubt, too."""
        return self.counts.in_doubt + self.counts.sending

    @property
    def unsent(self) -> int:
        """Rows that a later run goes on with."""
        return self.counts.pending + self.counts.deferred

    def to_json(self) -> dict[str, Any]:
        """The object `send --json` prints: the contract's keys, and a few more."""
        return {
            "campaign": self.campaign,
            "total": self.total,
            "sent": self.sent,
            "failed": self.failed,
            "deferred": self.deferred,
            "pending": self.pending,
            "suppressed": self.suppressed,
            "in_doubt": self.in_doubt,
            "duplicates": self.duplicates,
            "elapsed_seconds": round(self.elapsed_seconds, 3),
            "messages_per_second": round(self.messages_per_second, 3),
            "sent_in_run": self.sent_in_run,
            "failed_in_run": self.failed_in_run,
            "exit_code": self.exit_code,
            "dry_run": self.dry_run,
            "test_to": self.test_to,
            "limit_reached": self.limit_reached,
            "interrupted": self.interrupted,
            "halt": self.halt,
            "stopped": self.stopped or None,
            "stopped_detail": self.stopped_detail or None,
            "waiting_until": None if self.waiting_until is None else rfc3339(self.waiting_until),
            "ledger": None if self.ledger is None else str(self.ledger),
            "out": None if self.out is None else str(self.out),
        }

    def sentence(self) -> str:
        """How it ended, and the counts: for a terminal, or cron's mail."""
        if self.dry_run or self.test_to is not None:
            return self._rehearsal()
        due = "" if self.waiting_until is None else f"; the next is due {local(self.waiting_until)}"
        return f"{self._ending()} {self._so_far()}{due}."

    def _ending(self) -> str:
        took = span(self.elapsed_seconds)
        if self.interrupted:
            return f"Interrupted after {took}."
        if self.exit_code == EXIT_STOPPED:
            return f"Stopped after {took}."
        if self.exit_code == EXIT_WAITING:
            return (self.stopped or "Something still waits").rstrip(". ") + "."
        if self.halt is Halt.CANCELLED:
            return "Cancelled by `bulkmail cancel`."
        return self._done(took)

    def _done(self, took: str) -> str:
        if self.limit_reached and self.unsent:
            return f"{number(self.sent_in_run)} sent in this run, in {took}."
        if self.sent_in_run or self.failed_in_run:
            is_paced = self.sent_in_run and self.elapsed_seconds >= 1
            pace = f" ({rate(self.messages_per_second)})" if is_paced else ""
            return f"Done in {took}{pace}."
        if self.in_doubt:  # whether they are of this run, or of one before it
            return f"Ended after {took}."
        return "Nothing was left to send."

    def next_commands(self, typed: str = "") -> list[tuple[str, str]]:
        """What is worth typing next: (label, command).

        `typed` is how the user named the campaign, quoted, with the options that find its ledger.
        """
        who = typed or shlex.quote(self.campaign)
        send, report = f"bulkmail send {who}", f"bulkmail report {who}"
        if self.dry_run:
            return [("Send it", send)]
        if self.test_to is not None:
            again = f"{send} --test-to {shlex.quote(self.test_to)}{self.test_of}"
            return [("Send it to everybody", send) if self.sent_in_run else ("Try it again", again)]
        commands = []
        if self.halt is Halt.PAUSED:
            commands.append(("Lift the pause", f"bulkmail resume {who}"))
        elif self.halt is Halt.CANCELLED:
            commands.append(("Take it back", f"bulkmail retry {who} --state suppressed"))
        elif self.interrupted or self.exit_code == EXIT_WAITING:
            commands.append(("Go on with", send))
        elif self.exit_code == EXIT_STOPPED:
            commands.append(("When that is mended", send))
        elif self.limit_reached and self.unsent:
            commands.append(("Send the rest", send))
        if self.counts.failed:
            commands.append(("Who failed, and why", f"{report} --state failed"))
        if self.in_doubt:
            commands.append(("Who is in doubt", f"{report} --state in_doubt"))
        return commands or [("See how it stands", f"bulkmail status {who}")]

    def _rehearsal(self) -> str:
        """The end of a dry run or a test message, whose counts tell nobody anything."""
        took = span(self.elapsed_seconds)
        ended = "Interrupted. " if self.interrupted else ""
        failed = f" {number(self.failed_in_run)} could not be made." if self.failed_in_run else ""
        if self.dry_run:
            where = f" to {self.out}" if self.out else ""
            files = counted(self.sent_in_run, "message")
            return f"{ended}{files} written{where} in {took}; nothing was sent.{failed}"
        if self.sent_in_run:
            return f"A test message was sent to {self.test_to} in {took}.{failed}"
        return f"{ended}No test message was sent to {self.test_to}.{failed}"

    def _so_far(self) -> str:
        """``2,000 recipients: 1,996 sent, 4 failed``."""
        counts = self.counts
        states = [
            (counts.sent, "sent"),
            (counts.failed, "failed"),
            (counts.deferred, "deferred"),
            (counts.pending, "to go"),
            (counts.suppressed, "suppressed"),
            (self.in_doubt, "in doubt"),
        ]
        told = [f"{number(count)} {word}" for count, word in states if count]
        if not counts.sent:
            told.insert(0, "none sent")
        duplicates = counted(counts.duplicates, "duplicate row") if counts.duplicates else ""
        return f"{counted(counts.total, 'recipient')}: {', '.join(told)}" + (
            f" ({duplicates} left out)" if duplicates else ""
        )
