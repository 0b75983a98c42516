"""The streams of a command: results on stdout, errors on stderr, and what may become of both."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from bulkmail.errors import EXIT_STOPPED, BulkmailError


class OutputFailed(BulkmailError):
    """stdout cannot be written: a full disk. Whoever asked for the result does not have it."""

    exit_code = EXIT_STOPPED


def prepare() -> None:
    """Make the streams safe: there, and able to take any character."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell (2>&-)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say(text: str = "") -> bool:
    """Print one result. False when nobody reads any more (`| head`): go on without."""
    return _written(lambda: sys.stdout.write(f"{text}\n"))


def say_bytes(content: bytes) -> bool:
    """Print bytes as they are, behind what was printed before."""
    return _written(sys.stdout.flush) and _written(lambda: sys.stdout.buffer.write(content))


def say_json(value: Any) -> bool:
    """Print one JSON value on one line."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return say(json.dumps(value, ensure_ascii=not is_utf8))


def complain(text: str) -> None:
    """Print to stderr; when nobody reads there, nobody is told."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def is_one_stream() -> bool:
    """Whether stdout and stderr end in one place: a terminal, cron's mail, one log."""
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno()))
    except (OSError, ValueError):  # a stream that is no file, as in a test
        return False


def finish() -> None:
    """Write out what is buffered, so that nothing fails when the interpreter ends."""
    _written(sys.stdout.flush)


def _written(write: Callable[[], object]) -> bool:
    try:
        write()
    except BrokenPipeError:
        _let_go_of_stdout()
        return False
    except OSError as error:
        _let_go_of_stdout()
        raise OutputFailed(f"The result cannot be written: {error.strerror}.") from error
    return True


def _let_go_of_stdout() -> None:
    """Let later writes and the flush at exit go nowhere, instead of failing again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError):
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
