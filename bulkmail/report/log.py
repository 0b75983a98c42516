"""The log in `.bulkmail/`: a line an attempt, no bodies, no secrets; 0600, rotated.

Lines are text for a person, or JSON (`--log-format json`) for a program.

Two runs (of two campaigns) may write the same file. Each line is written and each rotation made
under a lock of the operating system, and a file that somebody else has rotated is opened again;
so no line is lost, and none goes to a file that is already old.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import logging.handlers
import os
from collections.abc import Iterator, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal

from bulkmail.clock import moment, rfc3339
from bulkmail.fate import Attempt, Counts, Delivery
from bulkmail.report.least_time import Limits

#: Bytes of one file, and how many files are kept in all.
MAX_BYTES = 10_000_000
FILES = 5
#: The log's file in `.bulkmail/`.
NAME = "bulkmail.log"


class SharedRotatingHandler(logging.handlers.RotatingFileHandler):
    """A rotating file that several processes write, readable by its owner alone."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, files: int = FILES) -> None:
        self.path = path
        self._lock_path = path.with_name(path.name + ".lock")
        super().__init__(path, maxBytes=max_bytes, backupCount=files - 1, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        def private(path: str, flags: int) -> int:
            return os.open(path, flags, 0o600)

        return open(self.baseFilename, "a", encoding="utf-8", opener=private)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, in turn with the other processes."""
        try:
            with self._turn():
                self._reopen_if_rotated()
                super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name is logging's
        """Lose the line: a log that cannot be written stops nobody's letter, the ledger does."""

    def close(self) -> None:
        """Close the file; what a full disk does not take is lost as well."""
        with contextlib.suppress(OSError):
            super().close()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _reopen_if_rotated(self) -> None:
        if self.stream is None:
            return
        try:
            there = Path(self.baseFilename).stat()
            is_ours = os.path.samestat(there, os.fstat(self.stream.fileno()))
        except FileNotFoundError:
            is_ours = False
        if not is_ours:
            self.stream.close()
            self.stream = self._open()


class _Formatter(logging.Formatter):
    """``2026-12-01T01:00:00Z INFO message``, on one line whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage().replace("\r", "\\r").replace("\n", "\\n")
        return f"{rfc3339(record.created)} {record.levelname} {text}"


class _JsonFormatter(logging.Formatter):
    """An object a line: `at`, `level`, `event`, and what is known of it by name."""

    def format(self, record: logging.LogRecord) -> str:
        facts = getattr(record, _FACTS, None) or {"event": "said", "message": record.getMessage()}
        head = {"at": _instant(record.created), "level": record.levelname.lower()}
        return json.dumps(head | facts, ensure_ascii=False)


#: Where a record keeps its facts for a program.
_FACTS = "bulkmail_facts"
#: How lines are written.
Form = Literal["text", "json"]


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
        self._write("begin", {"to_go": limit, **standing})

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Log one line for one attempt. For a program there is no address in it but the key."""
        due_at = attempt.due_at
        who = {"row": delivery.row, "key": delivery.key}
        what = {
            "server": attempt.server,
            "stage": attempt.stage,
            "code": attempt.code,
            "enhanced_code": attempt.enhanced_code,
            "reply": attempt.reply,
            "reason": attempt.reason,
        }
        told = {
            **who,
            "address": delivery.address,
            **what,
            "refused": dict(attempt.refused_recipients or {}),
            "due_at": None if due_at is None else rfc3339(due_at),
        }
        record = {
            **who,
            "state": attempt.state,
            "attempt": delivery.attempts + attempt.is_counted,
            **what,
            "tls": attempt.tls,
            "started_at": _instant(attempt.started_at),
            "ended_at": _instant(attempt.at),
            "due_at": None if due_at is None else _instant(due_at),
        }
        self._write("attempt", told, word=attempt.state, program=record)

    def waiting(self, sentence: str, until: float | None) -> None:
        """Log what the run waits for."""
        if sentence:
            due = None if until is None else rfc3339(until)
            self._write("waiting", {"reason": sentence, "until": due})

    def server_changed(self, server: str, sentence: str) -> None:
        """Log what became of a server."""
        facts = {"server": server, "reason": sentence or "usable again"}
        self._write("server", facts, level=logging.WARNING)

    def _write(
        self,
        event: str,
        facts: Mapping[str, Any],
        *,
        word: str = "",
        program: Mapping[str, Any] | None = None,
        level: int = logging.INFO,
    ) -> None:
        """One line: `facts` for a person, and for a program `program`, where that is another."""
        known = facts if program is None else program
        record = {"event": event, "campaign": self._campaign, **known}
        self._log.log(
            level,
            "%s %s %s",
            self._campaign,
            word or event,
            _facts(**facts),
            extra={_FACTS: record},
        )


def _facts(**facts: Any) -> str:
    """``row=17 address="li@x.example"``: JSON values, so that nobody's text can forge a line."""
    return " ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in facts.items() if value
    )
