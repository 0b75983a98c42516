"""Recipients out of a database: one statement, streamed into a file (extra `sql`).

SQLAlchemy's Core, with its asynchronous drivers: a run that is interrupted does not wait for the
database. The transaction is read-only where the database knows such a thing, and is rolled back in
any case. Rows come in chunks by a cursor at the server, so memory does not grow with their number.

The file holds JSON lines: the columns' names, and then a list of values a row; a row that cannot
be kept is text, what is wrong with it.
"""

from __future__ import annotations

import asyncio
import decimal
import json
import math
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from bulkmail.campaign.recipients.columns import column_name, header_problems
from bulkmail.campaign.recipients.origin import NoList, Unusable, first_line, optional
from bulkmail.campaign.recipients.row import Record
from bulkmail.campaign.text_file import displayed
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

#: Rows that come at a time.
_CHUNK = 1000
#: The drivers that come with the extra, and those people mean by a database's bare name.
_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg2": "postgresql+psycopg",
    "mysql": "mysql+aiomysql",
    "mariadb": "mariadb+aiomysql",
}
_CURSOR = "bulkmail_list"
#: Names of the columns, and some rows.
Chunk = tuple[list[str], Sequence[Any]]
#: Steps of SQLite's machine between two looks at whether it is still wanted.
_STEPS = 10_000


@value_class
class Query:
    """A statement, and the database it is for."""

    statement: str
    url: Secret
    #: Epoch seconds; what stands for `:now`.
    now: float
    #: What stands for `:last_run`; None: nothing was before.
    last_run: float | None
    #: Where a relative path of SQLite is looked up.
    folders: Sequence[Path]


def shown_url(url: Secret) -> str:
    """The database, without its password and options."""
    alchemy = optional("sqlalchemy", "`sql`", "sql")
    return str(_parsed(alchemy, url).set(query={}).render_as_string(hide_password=True))


async def fetch_rows(query: Query, target: Path) -> None:
    """Run the statement, and write its rows to `target`.

    Raises `NoList` with what the database said, `Unusable` where nothing can come of it. Cancelled,
    it ends the statement.
    """
    alchemy = optional("sqlalchemy", "`sql`", "sql")
    engines = optional("sqlalchemy.ext.asyncio", "`sql`", "sql")
    url = _parsed(alchemy, query.url)
    statement = _bound(alchemy, query, url.get_backend_name())
    hidden = [url.password or "", query.url.reveal()]
    try:
        engine = engines.create_async_engine(
            _with_driver(url, query.folders), poolclass=alchemy.pool.NullPool
        )
    except (alchemy.exc.SQLAlchemyError, ImportError, TypeError, ValueError) as error:
        raise Unusable(f"no driver for it: {first_line(str(error), hidden)}") from error
    try:
        await _stream(alchemy, engine, statement, target)
    except alchemy.exc.DBAPIError as error:
        raise NoList(first_line(str(error.orig), hidden)) from error
    except (alchemy.exc.SQLAlchemyError, OSError) as error:
        raise NoList(first_line(str(error), hidden)) from error
    finally:
        await engine.dispose()


async def _stream(alchemy: Any, engine: Any, statement: Any, target: Path) -> None:
    database = engine.dialect.name
    async with engine.connect() as connection:
        await _make_read_only(alchemy, database, connection)
        chunks = _by_cursor if database == "postgresql" else _by_driver
        is_first = True
        with target.open("x", encoding="utf-8") as file:
            async for names, rows in chunks(alchemy, connection, statement):
                if is_first:
                    file.write(json.dumps(names) + "\n")
                    is_first = False
                file.writelines(_line(row) for row in rows)
        # Nothing it may have done is kept.
        await connection.rollback()


async def _by_cursor(alchemy: Any, connection: Any, statement: Any) -> AsyncIterator[Chunk]:
    """PostgreSQL, by a cursor of SQL's own: a driver's would be left open by a cancellation."""
    await connection.execute(statement)
    fetch = alchemy.text(f"FETCH FORWARD {_CHUNK} FROM {_CURSOR}")
    while True:
        result = await connection.execute(fetch)
        rows = result.all()
        yield list(result.keys()), rows
        if len(rows) < _CHUNK:
            return


async def _by_driver(_: Any, connection: Any, statement: Any) -> AsyncIterator[Chunk]:
    """Any other, as its driver streams."""
    result = await connection.stream(statement, execution_options={"yield_per": _CHUNK})
    names = list(result.keys())
    yield names, []
    async for rows in result.partitions(_CHUNK):
        yield names, rows


async def _make_read_only(alchemy: Any, database: str, connection: Any) -> None:
    if database == "postgresql":
        await connection.execution_options(postgresql_readonly=True)
    elif database in {"mysql", "mariadb"}:
        await connection.execute(alchemy.text("SET TRANSACTION READ ONLY"))
    elif database == "sqlite":
        await _end_when_cancelled(connection)
        await connection.execute(alchemy.text("PRAGMA query_only = ON"))


async def _end_when_cancelled(connection: Any) -> None:
    """SQLite works in a thread of its own, and would go on: it is asked to look up now and then.

    The driver waits for its thread before a cancellation is seen here, so the task is looked at.
    """
    task = asyncio.current_task()
    raw = await connection.get_raw_connection()
    await raw.driver_connection.set_progress_handler(
        lambda: task is not None and task.cancelling() > 0, _STEPS
    )


def _parsed(alchemy: Any, url: Secret) -> Any:
    try:
        return alchemy.make_url(url.reveal())
    except (alchemy.exc.ArgumentError, ValueError):
        # Its own sentence repeats the URL, and that may hold a password.
        raise Unusable(
            "`url` is no database's address, such as postgresql://reader@db.example.com/crm"
        ) from None


def _with_driver(url: Any, folders: Sequence[Path]) -> Any:
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() != "sqlite":
        return url
    name = url.database or ""
    if not name or name == ":memory:":
        raise Unusable("`url` names no file: sqlite:///crm.db")
    path = next((at for at in (folder / name for folder in folders) if at.is_file()), None)
    if path is None:
        raise Unusable(f"there is no database {name}")
    # Only to be read, and never made.
    return url.set(database=f"file:{_quoted(path)}", query={"mode": "ro", "uri": "true"})


def _quoted(path: Path) -> str:
    return path.absolute().as_uri().removeprefix("file://")


def _bound(alchemy: Any, query: Query, database: str) -> Any:
    """The statement, with the instants it asks for."""
    written = query.statement.strip().rstrip(";")
    if database == "postgresql":
        written = f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {written}"
    statement = alchemy.text(written)
    known = {"now": query.now, "last_run": query.last_run or 0.0}
    asked = list(statement.compile().params)
    if unknown := next((key for key in asked if key not in known), None):
        raise Unusable(
            f"`:{unknown}` is no parameter: there are :now and :last_run (a colon that is none "
            "is written \\:)"
        )
    values: Mapping[str, Any] = {key: _instant(known[key], database) for key in asked}
    return statement.bindparams(**values)


def _instant(epoch_seconds: float, database: str) -> Any:
    """SQLite has no type for it: text as its own CURRENT_TIMESTAMP is, in UTC."""
    moment = datetime.fromtimestamp(epoch_seconds, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S") if database == "sqlite" else moment


def _line(row: Sequence[Any]) -> str:
    try:
        return json.dumps([_json(cell) for cell in row]) + "\n"
    except (TypeError, ValueError) as error:
        return json.dumps(str(error)) + "\n"


def _json(cell: Any) -> Any:
    """A value as JSON has it: moments in ISO 8601, decimals as they are written."""
    match cell:
        case float() if not math.isfinite(cell):
            raise ValueError(f"holds {cell}, which is no number")
        case None | bool() | int() | str() | float():
            return cell
        case decimal.Decimal() | uuid.UUID() | timedelta():
            return str(cell)
        case date() | time():
            return cell.isoformat()
        case list() | tuple():
            return [_json(part) for part in cell]
        case dict():
            return {str(name): _json(part) for name, part in cell.items()}
    raise TypeError(f"holds a value that is no text, number or date ({type(cell).__name__})")


class SqlRows:
    """One pass over what `fetch_rows` wrote."""

    header_line = 0

    def __init__(self, path: Path) -> None:
        self._path = path
        with path.open(encoding="utf-8") as file:
            self.columns = tuple(column_name(str(name)) for name in json.loads(file.readline()))
        if problems := header_problems(self.columns):
            raise ConfigurationError(
                *(Fault(path=displayed(path), message=problem) for problem in problems)
            )

    def records(self) -> Iterator[Record]:
        """The rows."""
        with self._path.open(encoding="utf-8", newline="\n") as file:
            file.readline()
            for line in file:
                cells = json.loads(line)
                if isinstance(cells, str):
                    yield Record(0, {}, (cells,))
                else:
                    yield Record(0, dict(zip(self.columns, cells, strict=True)))
