"""The log in `.bulkmail/`: a line an attempt, no bodies, no secrets; 0600, rotated.

Lines are text for a person, or JSON (`--log-format json`) for a program.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bulkmail.clock import moment, rfc3339
from bulkmail.fate import Attempt, Counts, Delivery
from bulkmail.report.least_time import Limits
from bulkmail.report.log_file import SharedRotatingHandler
from bulkmail.value_class import record_class

#: The log's file in `.bulkmail/`.
NAME = "bulkmail.log"


_LOGGER = logging.getLogger("bulkmail")
#: How lines are written.
Form = Literal["text", "json"]
#: A value as JSON; what it is made of is made once.
_json = json.JSONEncoder(ensure_ascii=False).encode


@record_class
class _Event:
    """What is told: it is put into words by who writes it, for a person or a program.

    Of the two nobody reads both.
    """

    event: str
    campaign: str
    #: By name, for a person.
    facts: Mapping[str, Any]

    def __str__(self) -> str:
        """``offer begin to_go=52 total=52``."""
        return f"{self.campaign} {self.event} {_told(self.facts)}"

    def as_record(self) -> dict[str, Any]:
        """What is known, by name."""
        return {"event": self.event, "campaign": self.campaign, **self.facts}


@record_class
class _Attempted:
    """The event that there is one of for every message."""

    campaign: str
    delivery: Delivery
    attempt: Attempt

    def __str__(self) -> str:
        """``offer sent row=17 address="li@x.example"``: as `_told` would, at once."""
        delivery, tried = self.delivery, self.attempt
        refused, due_at = tried.refused_recipients, tried.due_at
        return "".join(
            (
                f"{self.campaign} {tried.state} row={delivery.row} key={_quoted(delivery.key)}",
                f" address={_quoted(delivery.address)}",
                _answered(tried.server, tried.stage, tried.code, tried.enhanced_code),
                f" reply={_quoted(tried.reply)}" if tried.reply else "",
                f" reason={_quoted(tried.reason)}" if tried.reason else "",
                f" refused={_json(dict(refused))}" if refused else "",
                "" if due_at is None else f' due_at="{rfc3339(due_at)}"',
            )
        )

    def as_record(self) -> dict[str, Any]:
        """What is known, by name. There is no address in it but the key."""
        record = _attempt_record(self.delivery, self.attempt)
        return {"event": "attempt", "campaign": self.campaign, **record}


#: What a line says: an event, or what somebody put into words.
_Said: TypeAlias = _Event | _Attempted | str


def _told(facts: Mapping[str, Any]) -> str:
    """``to_go=52 reason="greylisted"``: what there is something to say of.

    As JSON, so that nobody's text can forge a line.
    """
    return " ".join([f"{name}={_json(value)}" for name, value in facts.items() if value])


@lru_cache(maxsize=64)
def _answered(
    server: str | None, stage: str | None, code: int | None, enhanced_code: str | None
) -> str:
    """By whom, and how: most tries are answered alike."""
    facts = {"server": server, "stage": stage, "code": code, "enhanced_code": enhanced_code}
    return f" {told}" if (told := _told(facts)) else ""


#: What all records of ours have in common.
_COMMON = vars(logging.LogRecord(_LOGGER.name, logging.INFO, __file__, 0, "", None, None))


class _Record(logging.LogRecord):
    """For others who listen: that of which thread and line it is, nobody asks, is made once."""

    def __init__(self, level: int, said: _Said, now: float) -> None:
        vars(self).update(_COMMON)
        self.levelno, self.levelname = level, _level_name(level)
        self.msg, self.created, self.msecs = said, now, now % 1 * 1000


#: Of a level, and of a second, there are many lines.
_level_name = lru_cache(maxsize=8)(logging.getLevelName)
_second = lru_cache(maxsize=8)(rfc3339)


Lines: TypeAlias = Callable[[float, str, Sequence[_Said]], list[str]]


def _text_lines(now: float, level: str, said: Sequence[_Said]) -> list[str]:
    """``2026-12-01T01:00:00Z INFO message``, on one line whatever the message holds."""
    start = f"{_second(int(now))} {level} "
    return [start + str(one).replace("\r", "\\r").replace("\n", "\\n") for one in said]


def _json_lines(now: float, level: str, said: Sequence[_Said]) -> list[str]:
    """An object a line: `at`, `level`, `event`, and what is known of it by name."""
    start = {"at": _instant(now), "level": level.lower()}
    return [_json(start | _facts(one)) for one in said]


def _facts(said: _Said) -> dict[str, Any]:
    return {"event": "said", "message": said} if isinstance(said, str) else said.as_record()


class Log(SharedRotatingHandler):
    """The log's file, which is given what is said without a record of each."""

    def __init__(self, path: Path, lines: Lines) -> None:
        super().__init__(path)
        #: What is said at an instant, by level, as lines.
        self.lines = lines


def _instant(epoch_seconds: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment(epoch_seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextlib.contextmanager
def opened_log(folder: Path, form: Form = "text") -> Iterator[Log | None]:
    """The log of `folder`, for one run: several at once, of whatever process, share its file.

    Lines are for a person, or JSON for a program. None: the file cannot be opened. That is a log
    that is lost, and stops nobody's letter, as the ledger does.
    """
    try:
        log = Log(folder / NAME, _text_lines if form == "text" else _json_lines)
    except OSError:
        yield None
        return
    with contextlib.closing(log):
        yield log


class LogWatch:
    """Watches a run and logs it: who, what became of it, why. Never what was written to them.

    Whoever uses the package as a library may listen as well, to the logger `bulkmail`.
    """

    def __init__(self, log: Log | None, campaign: str = "") -> None:
        """`campaign` where it is known before `begin`."""
        self._log = log
        self._campaign = campaign

    def announce(self, sentence: str) -> None:
        """Log the sentence."""
        self._write(sentence)

    def checking(self, done: int, total: int | None) -> None:
        """Log nothing: a check leaves its result."""

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """Log where the campaign stands and how many this run has before it."""
        del limits  # they say how long it may take, not what became of anybody
        self._campaign = campaign
        standing = {"total": counts.total, "sent": counts.sent, "failed": counts.failed}
        self._write(_Event("begin", campaign, {"to_go": limit, **standing}))

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Log one line for one attempt. For a program there is no address in it but the key."""
        self.all_attempted([(delivery, attempt)])

    def all_attempted(self, tried: Sequence[tuple[Delivery, Attempt]]) -> None:
        """The same of several."""
        self._write(*[_Attempted(self._campaign, *one) for one in tried])

    def waiting(self, sentence: str, until: float | None) -> None:
        """Log what the run waits for."""
        if sentence:
            due = None if until is None else rfc3339(until)
            facts = {"reason": sentence, "until": due}
            self._write(_Event("waiting", self._campaign, facts))

    def server_changed(self, server: str, sentence: str) -> None:
        """Log what became of a server."""
        facts = {"server": server, "reason": sentence or "usable again"}
        self._write(_Event("server", self._campaign, facts), level=logging.WARNING)

    def _write(self, *said: _Said, level: int = logging.INFO) -> None:
        now = time.time()
        if self._log is not None:
            self._log.put(*self._log.lines(now, _level_name(level), said))
        if _LOGGER.isEnabledFor(level) and _LOGGER.hasHandlers():
            for one in said:
                _LOGGER.handle(_Record(level, one, now))


def _attempt_record(delivery: Delivery, attempt: Attempt) -> dict[str, Any]:
    due_at = attempt.due_at
    return {
        "row": delivery.row,
        "key": delivery.key,
        "state": attempt.state,
        "attempt": delivery.attempts + attempt.is_counted,
        "server": attempt.server,
        "stage": attempt.stage,
        "code": attempt.code,
        "enhanced_code": attempt.enhanced_code,
        "reply": attempt.reply,
        "reason": attempt.reason,
        "tls": attempt.tls,
        "started_at": _instant(attempt.started_at),
        "ended_at": _instant(attempt.at),
        "due_at": None if due_at is None else _instant(due_at),
    }
