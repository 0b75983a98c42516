"""The end of the road in a dry run: a file a message instead of a server.

`EmlTransport` meets delivery's `Transport` and `Session` at once: every acquire gives the same
object, which takes any number of transactions side by side. A file appears under its name only
when it is whole (written beside it, then renamed), so a dry run that was cut leaves no half one.
It needs no lasting, so nothing is flushed to the disk: what counts is that a person can look.

All files that wait are written in one thread hop, by aiofiles' `wrap`: a hop costs as much as a
file. A long dry run hands them to a process of their own, `eml_process`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from aiofiles.os import wrap

from bulkmail.errors import ConfigurationError, Fault
from bulkmail.message.eml_name import eml_name, folder_name, is_eml_name
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.reply import EnhancedStatusCode, Reply
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.eml_process import WriterGone, WriterProcess
from bulkmail.transport.eml_writer import write
from bulkmail.value_class import value_class

#: Files in one hop: enough to pay for it, few enough that messages are made meanwhile.
HANDFUL = 64
#: Files after which the rest is written by a process: fewer are done before it has started.
_FEW = 256
#: Octets of a handful that the process is given at most: what is longer is mostly copying.
_SHORT = 2_000_000

#: What a file answers to whatever is asked of it, but where it lies in the end.
_SENDER_OK = Reply(250, ("2.1.0 a file takes anything",), EnhancedStatusCode(2, 1, 0))
_RECIPIENT_OK = Reply(250, ("2.1.5 a file takes anybody",), EnhancedStatusCode(2, 1, 5))
_GO_ON = Reply(354, ("go on",))
_KEPT = EnhancedStatusCode(2, 0, 0)

_PARTIAL = re.compile(r"\.[0-9]{6,}\.part")


class EmlTransport:
    """Writes ``DIR/<campaign name>/<row, 6 digits>-<address>.eml`` (the contract, section 4)."""

    def __init__(self, directory: Path, campaign: str, *, suffix: str = ".eml") -> None:
        self._suffix = suffix
        #: Where the files lie: a folder for the campaign.
        self.folder = directory / folder_name(campaign)
        self._prefix = os.path.join(self.folder, "")  # noqa: PTH118  # with its separator
        #: Files written so far.
        self.written = 0
        self._waiting: list[_Letter] = []
        self._writing: asyncio.Task[None] | None = None
        self._process: WriterProcess | None = None
        self._has_process = False

    @property
    def name(self) -> str:
        """Stands where a server's name would: the folder."""
        return str(self.folder)

    def __repr__(self) -> str:
        return f"<EmlTransport {self.folder} | {self.written} written>"

    async def prepare(self) -> None:
        """Make the folder, and remove what an earlier dry run of the campaign left in it.

        An old letter among the new ones would mislead. Only files named as ours are removed;
        whatever else a person keeps there stays. Raises `ConfigurationError` (``--out``) where
        the folder cannot be made or written to; nothing was removed then.
        """
        try:
            await _prepared(self.folder, self._suffix)
        except (OSError, UnicodeEncodeError) as error:
            raise _unwritable(self.folder, error) from error

    async def acquire(self) -> EmlTransport:
        """The one session there is; it takes many transactions at a time."""
        return self

    async def release(self, session: object) -> None:
        """Nothing is held."""

    async def close(self) -> None:
        """Finish what is being written."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        if self._process is not None:
            await _closed(self._process)

    async def send(
        self,
        mail: MailObject,
        mark: Callable[[], Awaitable[None]],
        *,
        check: Callable[[], None] | None = None,
        first_decides: bool = True,
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> TransactionResult:
        """Write the message's file, exactly its content's bytes, and accept it for everybody.

        What `check` or `mark` raises is passed on, and there is no file then. Raises
        `ConfigurationError` when the disk does not take it. Cancelled, it leaves the whole file or
        none.
        """
        del first_decides, meanwhile
        if check is not None:
            check()
        address = mail.address or mail.envelope.forward_paths[0]
        name = eml_name(mail.row, address, self._suffix)
        await mark()
        loop = asyncio.get_running_loop()
        letter = _Letter(name, mail.chunks, loop.create_future())
        self._waiting.append(letter)
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write())
        if (error := await letter.error) is not None:
            raise _unwritable(self.folder / name, error, row=mail.row) from error
        self.written += 1
        return _accepted(mail, self._prefix + name)

    async def _write(self) -> None:
        """Write what waits, and what came meanwhile, until nothing does."""
        while letters := self._waiting[:HANDFUL]:
            del self._waiting[:HANDFUL]
            errors = await wrap(self._write_all)(letters)
            for letter, error in zip(letters, errors, strict=True):
                if not letter.error.done():
                    letter.error.set_result(error)

    def _write_all(self, letters: Sequence[_Letter]) -> list[OSError | None]:
        """Write them, in a thread; for each what went wrong."""
        if process := self._process_for(letters):
            try:
                return process.write([(letter.name, letter.chunks) for letter in letters])
            except WriterGone:
                self._process = None
                process.close()
        return [_written(str(self.folder), letter) for letter in letters]

    def _process_for(self, letters: Sequence[_Letter]) -> WriterProcess | None:
        """Who writes them; None: nobody else."""
        if self.written < _FEW:
            return None
        if not self._has_process:
            self._has_process = True
            with contextlib.suppress(OSError):
                self._process = WriterProcess(self.folder)
        octets = sum(len(chunk) for letter in letters for chunk in letter.chunks)
        return self._process if octets <= _SHORT else None


@value_class
class _Letter:
    """A file to be written."""

    name: str
    chunks: tuple[bytes, ...]
    #: Why it could not be written; None when it is.
    error: asyncio.Future[OSError | None]


def _prepare(folder: Path, suffix: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # A name of ours for the probe: it is removed with the others if we are killed right here.
    probe = folder / ".000000.part"
    probe.write_bytes(b"")
    for entry in list(folder.iterdir()):
        is_ours = is_eml_name(entry.name, suffix) or _PARTIAL.fullmatch(entry.name)
        if is_ours and (entry.is_symlink() or not entry.is_dir()):
            entry.unlink()


def _written(folder: str, letter: _Letter) -> OSError | None:
    try:
        write(folder, letter.name, letter.chunks)
    except OSError as error:
        return error
    return None


_prepared = wrap(_prepare)
_closed = wrap(WriterProcess.close)


def _unwritable(
    path: Path, error: OSError | UnicodeEncodeError, row: int | None = None
) -> ConfigurationError:
    if isinstance(error, UnicodeEncodeError):
        reason = "names of files are ASCII here. Set LC_ALL=C.UTF-8, and no PYTHONUTF8=0"
    else:
        reason = f"{error.strerror or error}. Name another folder, or make room"
    message = f"cannot be written: {reason}"
    return ConfigurationError(Fault(path=str(path), key="--out", row=row, message=message))


def _accepted(mail: MailObject, path: str) -> TransactionResult:
    return TransactionResult(
        mail=_SENDER_OK,
        recipients=dict.fromkeys(mail.envelope.forward_paths, _RECIPIENT_OK),
        data=_GO_ON,
        end_of_data=Reply(250, (f"2.0.0 kept as {path}",), _KEPT),
    )
