"""A list that is asked for: fetched once into a private file, and read from there like any other.

Time: `timeout` holds for all of it. What goes wrong is told at the campaign's own key, never with
a password: `SourceUnavailable` where another try may do, `ConfigurationError` where none can.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients.from_command import run_command
from bulkmail.campaign.recipients.from_http import Page, fetch_page, shown_address
from bulkmail.campaign.recipients.from_sql import Query, SqlRows, fetch_rows, shown_url
from bulkmail.campaign.recipients.origin import NoList, Unusable, first_line
from bulkmail.campaign.recipients.row import Record
from bulkmail.campaign.recipients.source import FileSource, Reader
from bulkmail.campaign.recipients.spool import list_folder, spool_folder
from bulkmail.campaign.secret_reference import SecretReference
from bulkmail.campaign.text_file import displayed, text_encoding
from bulkmail.campaign.units import format_duration
from bulkmail.errors import ConfigurationError, Fault, SourceUnavailable
from bulkmail.secret import Secret
from bulkmail.value_class import value_class


@value_class
class Instants:
    """What a statement may ask for, in epoch seconds."""

    now: float
    #: When the list was read for the occurrence before; None: there was none.
    last_run: float | None = None


@value_class
class Fetched:
    """A list that came: a source whose faults are told at the campaign's key."""

    path: Path
    #: Where it came from, as it may be shown.
    shown: str
    encoding: str
    fault: Callable[[str], Fault]
    notice: str = ""

    def open(self) -> Reader:
        """A new pass."""
        with self._retelling():
            if self.path.suffix == ".sql":
                return _Retold(SqlRows(self.path), self)
            return _Retold(FileSource(self.path, self.encoding).open(), self)

    def digest(self) -> str:
        """Of what came."""
        return FileSource(self.path, self.encoding).digest()

    @contextlib.contextmanager
    def _retelling(self) -> Iterator[None]:
        """Nobody knows the spool's file: what is wrong in it is wrong with what came."""
        try:
            yield
        except ConfigurationError as error:
            raise type(error)(*map(self._retold, error.faults)) from error

    def _retold(self, fault: Fault) -> Fault:
        if fault.path != displayed(self.path):
            return fault
        line = f"line {fault.line}: " if fault.line else ""
        told = self.fault(f"{self.shown}: {line}{fault.message}")
        return dataclasses.replace(told, row=fault.row, address=fault.address)


@value_class
class _Retold:
    """A reader, its errors retold."""

    reader: Reader
    source: Fetched

    @property
    def columns(self) -> tuple[str, ...]:
        return self.reader.columns

    @property
    def header_line(self) -> int:
        return self.reader.header_line

    def records(self) -> Iterator[Record]:
        with self.source._retelling():  # noqa: SLF001  # of the same making
            yield from self.reader.records()


@contextlib.asynccontextmanager
async def fetched(
    campaign: Campaign, instants: Instants, environ: Mapping[str, str], home: Path | None
) -> AsyncIterator[Fetched | None]:
    """The campaign's list, fetched, for as long as the context lasts; None: it need not be.

    `home` is the program's folder, where it may be written to. Raises `SourceUnavailable` or
    `ConfigurationError`.
    """
    if not campaign.model.recipients.is_fetched:
        yield None
        return
    ours = _writable(home)
    with spool_folder(ours) as folder:
        yield await _Fetch(campaign, instants, environ, ours).into(folder)


def _writable(home: Path | None) -> Path | None:
    """The folder, where it is there and ours; who only looks (`check`) makes none."""
    is_ours = home is not None and home.is_dir() and os.access(home, os.W_OK)
    return home if is_ours else None


class _Fetch:
    """One fetch of one campaign's list."""

    def __init__(
        self,
        campaign: Campaign,
        instants: Instants,
        environ: Mapping[str, str],
        home: Path | None,
    ) -> None:
        self._campaign = campaign
        self._options = campaign.model.recipients
        self._instants = instants
        self._environ = environ
        self._home = home
        key = next(key for key in ("sql", "http", "command") if getattr(self._options, key))
        self._loc: Loc = ("recipients", key)
        self._key = key

    async def into(self, folder: Path) -> Fetched:
        """Fetch it into a file in `folder`."""
        shown, timeout = self._key, self._options.timeout
        suffix = "sql" if self._key == "sql" else self._options.format or "csv"
        target = folder / f"list.{suffix}"
        try:
            shown = self._shown()
            async with asyncio.timeout(timeout):
                await self._into(target)
        except NoList as error:
            raise self._unavailable(f"{shown} gave no list: {error}") from error
        except TimeoutError as error:
            limit = format_duration(timeout)
            sentence = f"{shown} gave no list within {limit} (`timeout`)"
            raise self._unavailable(sentence) from error
        except Unusable as error:
            raise ConfigurationError(self._fault(str(error))) from error
        except OSError as error:
            sentence = f"{shown}: the list cannot be kept: {error.strerror or error}"
            raise self._unavailable(sentence) from error
        return Fetched(target, shown, self._encoding(), self._fault)

    async def _into(self, target: Path) -> None:
        options = self._options
        if options.sql is not None:
            url = self._secret(options.url, "url")
            now, last = self._instants.now, self._instants.last_run
            folders = (self._campaign.folder, self._campaign.root)
            await fetch_rows(Query(options.sql, url, now, last, folders), target)
        elif options.http is not None:
            headers = {
                name: self._secret(reference, f"headers.{name}")
                for name, reference in options.headers.items()
            }
            url = self._secret(options.http, "http")
            kept_in = None if self._home is None else list_folder(self._home)
            await fetch_page(Page(url, headers, self._max_bytes, kept_in), target)
        else:
            await run_command(
                options.command or (), self._campaign.root, target, max_bytes=self._max_bytes
            )

    @property
    def _max_bytes(self) -> int:
        return self._options.max_mb * 1_000_000

    def _shown(self) -> str:
        match self._key:
            case "sql":
                return shown_url(self._secret(self._options.url, "url"))
            case "http":
                return shown_address(self._secret(self._options.http, "http"))
        return f"`{first_line((self._options.command or ('',))[0])}`"

    def _secret(self, reference: SecretReference | None, key: str) -> Secret:
        if reference is None:
            raise AssertionError(f"the rules want `{key}`")
        try:
            return reference.look_up((self._campaign.folder, self._campaign.root), self._environ)
        except ValueError as error:
            loc: Loc = ("recipients", *key.split(".", 1))
            raise ConfigurationError(self._campaign.fault(loc, str(error))) from error

    def _encoding(self) -> str:
        try:
            return text_encoding(self._options.encoding or "utf-8")
        except ValueError as error:
            loc: Loc = ("recipients", "encoding")
            raise ConfigurationError(self._campaign.fault(loc, str(error))) from error

    def _fault(self, message: str) -> Fault:
        return self._campaign.fault(self._loc, message)

    def _unavailable(self, message: str) -> SourceUnavailable:
        return SourceUnavailable(self._fault(message))
