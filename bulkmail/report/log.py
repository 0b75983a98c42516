"""The log in `.bulkmail/`: a line an attempt, no bodies, no secrets; 0600, rotated.

Lines are text for a person, or JSON (`--log-format json`) for a program.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any, Literal

from bulkmail.clock import moment, rfc3339
from bulkmail.fate import Attempt, Counts, Delivery
from bulkmail.report.least_time import Limits
from bulkmail.report.log_file import SharedRotatingHandler

#: The log's file in `.bulkmail/`.
NAME = "bulkmail.log"


#: How lines are written.
Form = Literal["text", "json"]
#: A value as JSON; what it is made of is made once.
_json = json.JSONEncoder(ensure_ascii=False).encode


def _shown(value: object) -> str:
    """A value as JSON, for a person: so that nobody's text can forge a line."""
    if isinstance(value, str):
        return encode_basestring(value)
    return str(value) if type(value) is int else _json(value)


@dataclass(slots=True)
class _Event:
    """What a record tells: it is put into words by who writes them, for a person or a program.

    Of the two nobody reads both.
    """

    event: str
    campaign: str
    #: By name, for a person.
    facts: Callable[[], Mapping[str, Any]]
    #: For a program, where that is something else.
    program: Callable[[], Mapping[str, Any]] | None = None
    #: What a person reads instead of `event`.
    word: str = ""

    def __str__(self) -> str:
        """``offer sent row=17 address="li@x.example"``."""
        told = " ".join(
            [
                # What most facts are, at once.
                f"{name}={encode_basestring(value) if type(value) is str else _shown(value)}"
                for name, value in self.facts().items()
                if value
            ]
        )
        return f"{self.campaign} {self.word or self.event} {told}"

    def as_record(self) -> dict[str, Any]:
        """What is known, by name."""
        head = {"event": self.event, "campaign": self.campaign}
        return head | dict((self.program or self.facts)())


#: What all records of ours have in common.
_COMMON = vars(logging.LogRecord("bulkmail", logging.INFO, __file__, 0, "", None, None))


class _Record(logging.LogRecord):
    """A record of ours: that of which thread, process and line it is, nobody asks, is made once."""

    def __init__(self, level: int, event: _Event, now: float) -> None:
        vars(self).update(_COMMON)
        self.levelno, self.levelname = level, _level_name(level)
        self.msg, self.created, self.msecs = event, now, now % 1 * 1000


#: Of a level, and of a second, there are many lines.
_level_name = lru_cache(maxsize=8)(logging.getLevelName)
_second = lru_cache(maxsize=8)(rfc3339)


class _Formatter(logging.Formatter):
    """``2026-12-01T01:00:00Z INFO message``, on one line whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        return f"{_second(int(record.created))} {record.levelname} {text}"


class _JsonFormatter(logging.Formatter):
    """An object a line: `at`, `level`, `event`, and what is known of it by name."""

    def format(self, record: logging.LogRecord) -> str:
        event: object = record.msg
        said = {"event": "said", "message": record.getMessage()}
        facts = event.as_record() if isinstance(event, _Event) else said
        head = {"at": _instant(record.created), "level": record.levelname.lower()}
        return _json(head | facts)


def _instant(epoch_seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment(epoch_seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextlib.contextmanager
def configure_log(folder: Path, form: Form = "text") -> Iterator[logging.Logger]:
    """Send what the package logs to `folder`'s log for as long as the context lasts.

    Lines are for a person, or JSON for a program.

    A file that cannot be opened is a log that is lost: it stops nobody's letter, the ledger does.
    """
    logger = logging.getLogger("bulkmail")
    if any(_writes_to(handler, folder / NAME) for handler in logger.handlers):
        # A scheduler's runs share its log: each of them would write every line.
        yield logger
        return
    handler = _handler(folder / NAME, form)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield logger
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
        handler.close()


def _writes_to(handler: logging.Handler, path: Path) -> bool:
    return isinstance(handler, SharedRotatingHandler) and handler.path == path


def _handler(path: Path, form: Form) -> logging.Handler:
    try:
        handler = SharedRotatingHandler(path)
    except OSError:
        return logging.NullHandler()
    handler.setFormatter(_Formatter() if form == "text" else _JsonFormatter())
    return handler


class LogWatch:
    """Watches a run and logs it: who, what became of it, why. Never what was written to them."""

    def __init__(self, logger: logging.Logger, campaign: str = "") -> None:
        """`campaign` where it is known before `begin`."""
        self._log = logger
        self._campaign = campaign

    def announce(self, sentence: str) -> None:
        """Log the sentence."""
        self._log.info("%s", sentence)

    def checking(self, done: int, total: int | None) -> None:
        """Log nothing: a check leaves its result."""

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """Log where the campaign stands and how many this run has before it."""
        del limits  # they say how long it may take, not what became of anybody
        self._campaign = campaign
        standing = {"total": counts.total, "sent": counts.sent, "failed": counts.failed}
        facts = {"to_go": limit, **standing}
        self._write(_Event("begin", campaign, lambda: facts))

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Log one line for one attempt. For a program there is no address in it but the key."""
        facts = partial(_attempt_told, delivery, attempt)
        program = partial(_attempt_record, delivery, attempt)
        self._write(_Event("attempt", self._campaign, facts, program, attempt.state))

    def waiting(self, sentence: str, until: float | None) -> None:
        """Log what the run waits for."""
        if sentence:
            due = None if until is None else rfc3339(until)
            facts = {"reason": sentence, "until": due}
            self._write(_Event("waiting", self._campaign, lambda: facts))

    def server_changed(self, server: str, sentence: str) -> None:
        """Log what became of a server."""
        facts = {"server": server, "reason": sentence or "usable again"}
        self._write(_Event("server", self._campaign, lambda: facts), logging.WARNING)

    def _write(self, event: _Event, level: int = logging.INFO) -> None:
        if self._log.isEnabledFor(level):
            self._log.handle(_Record(level, event, time.time()))


def _replied(attempt: Attempt) -> dict[str, Any]:
    return {
        "server": attempt.server,
        "stage": attempt.stage,
        "code": attempt.code,
        "enhanced_code": attempt.enhanced_code,
        "reply": attempt.reply,
        "reason": attempt.reason,
    }


def _attempt_told(delivery: Delivery, attempt: Attempt) -> dict[str, Any]:
    due_at, refused = attempt.due_at, attempt.refused_recipients
    return {
        "row": delivery.row,
        "key": delivery.key,
        "address": delivery.address,
        **_replied(attempt),
        "refused": dict(refused) if refused else None,
        "due_at": None if due_at is None else rfc3339(due_at),
    }


def _attempt_record(delivery: Delivery, attempt: Attempt) -> dict[str, Any]:
    due_at = attempt.due_at
    return {
        "row": delivery.row,
        "key": delivery.key,
        "state": attempt.state,
        "attempt": delivery.attempts + attempt.is_counted,
        **_replied(attempt),
        "tls": attempt.tls,
        "started_at": _instant(attempt.started_at),
        "ended_at": _instant(attempt.at),
        "due_at": None if due_at is None else _instant(due_at),
    }
