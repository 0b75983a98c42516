"""Where the sink keeps what it took: a file a message, and one line a message about its envelope.

    DIR/000001-li.wei@example.com.eml   the content's bytes as they were sent: CRLF, no stuffing,
                                        and no header more
    DIR/envelopes.jsonl                 {"file": …, "at": …, "mail_from": …, "rcpt_tos": […], …}

Numbers go by arrival, and go on where an earlier sink in the folder ended. The order of writing
is file, line, reply: after a kill every message the client has a 250 for is there, whole, with
its line; a line that was cut is removed by the next sink. Nothing is flushed to the disk, so a
power cut is another matter. The folder is locked: two sinks would number over one another.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from bulkmail.clock import rfc3339
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.message.eml_name import eml_name, is_eml_name
from bulkmail.value_class import value_class

ENVELOPES = "envelopes.jsonl"

_PARTIAL = re.compile(r"\.[0-9]{6,}\.part")


@value_class(kw_only=True)
class Kept:
    """One message the sink took."""

    #: From 1, by arrival.
    number: int
    path: Path
    #: "" is the null one.
    reverse_path: str
    forward_paths: tuple[str, ...]
    size: int
    #: Epoch seconds.
    at: float

    def line(self) -> bytes:
        """Its line in envelopes.jsonl."""
        envelope = {
            "file": self.path.name,
            "at": rfc3339(self.at),
            "mail_from": self.reverse_path,
            "rcpt_tos": self.forward_paths,
            "size": self.size,
        }
        # What was not UTF-8 on the wire is a lone surrogate here; escaped, it is still JSON.
        text = json.dumps(envelope, ensure_ascii=False)
        return text.encode(errors="backslashreplace") + b"\n"


class KeptFolder:
    """The folder of one sink. Blocking, and for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Make the folder or go on with it. Raises `ConfigurationError` (``--dir``)."""
        self.folder = folder
        #: Messages kept by this sink, not by earlier ones.
        self.count = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _unusable(folder, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._last = self._tidy()
            self._envelopes = (folder / ENVELOPES).open("ab", buffering=0)
        except OSError as error:
            os.close(self._lock)
            raise _unusable(folder, error) from error

    def close(self) -> None:
        """Let the folder go."""
        self._envelopes.close()
        os.close(self._lock)

    def keep(
        self, content: bytes, *, reverse_path: str, forward_paths: Sequence[str], at: float
    ) -> Kept:
        """Write one message. Raises `OSError`, and nothing is kept then."""
        number = self._last + 1
        kept = Kept(
            number=number,
            path=self.folder / eml_name(number, forward_paths[0]),
            reverse_path=reverse_path,
            forward_paths=tuple(forward_paths),
            size=len(content),
            at=at,
        )
        partial = self.folder / f".{number:06d}.part"
        try:
            partial.write_bytes(content)
            partial.replace(kept.path)
            self._append(kept.line())
        except BaseException:
            partial.unlink(missing_ok=True)
            kept.path.unlink(missing_ok=True)
            raise
        self._last = number
        self.count += 1
        return kept

    def _append(self, line: bytes) -> None:
        """The whole line or none of it: a full disk takes a part without an error."""
        before = os.fstat(self._envelopes.fileno()).st_size
        if self._envelopes.write(line) != len(line):
            self._envelopes.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _tidy(self) -> int:
        """Remove what a killed sink left half done; the last number in use."""
        last = 0
        for path in list(self.folder.iterdir()):
            if _PARTIAL.fullmatch(path.name):
                path.unlink()
            elif is_eml_name(path.name):
                last = max(last, int(path.name.partition("-")[0]))
        _drop_cut_line(self.folder / ENVELOPES)
        return last


def _drop_cut_line(path: Path) -> None:
    """Cut the file behind its last line end. Seen from its end: it may be large."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                end = start + at + 1
                break
            end = start
        file.truncate(end)


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    if isinstance(error, BlockingIOError):
        message = "another sink keeps its letters here; name another folder"
    else:
        message = f"cannot be written: {error.strerror or error}. Name another folder"
    return ConfigurationError(Fault(path=str(folder), key="--dir", message=message))
