"""Lists that are asked for: a database, a web server, a command; honest ones and others."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.children import state
from support.page_server import Answer, header, page, page_server

from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList, open_recipients, spool
from bulkmail.campaign.recipients.fetch import Instants, fetched
from bulkmail.errors import ConfigurationError, NobodyToSendTo, SourceUnavailable

NOW = 1_796_086_800.0  # 2026-12-01T01:00:00Z
LIST = b"email,name\nada@example.com,Ada\nbob@example.com,Bob\n"

Opening = Callable[..., contextlib.AbstractAsyncContextManager[RecipientList]]


@pytest.fixture
def opened(load: Callable[..., Campaign]) -> Opening:
    """Opens the list of a campaign whose `recipients:` are these lines."""

    @contextlib.asynccontextmanager
    async def opened(
        *lines: str,
        environ: Mapping[str, str] | None = None,
        last_run: float | None = None,
        home: Path | None = None,
    ) -> AsyncIterator[RecipientList]:
        campaign = load("recipients:\n" + "".join(f"  {line}\n" for line in lines))
        async with fetched(campaign, Instants(NOW, last_run), environ or {}, home) as came:
            yield open_recipients(campaign, came)

    return opened


@pytest.fixture
def refused(opened: Opening) -> Callable[..., Any]:
    """The class and the sentence with which a list is refused."""

    async def refused(*lines: str, **more: Any) -> tuple[type[ConfigurationError], str]:
        with pytest.raises(ConfigurationError) as caught:
            async with opened(*lines, **more) as recipients:
                list(recipients.rows())
        return caught.type, str(caught.value)

    return refused


@pytest.fixture
def crm(project: Path) -> Path:
    """A database at the project's root."""
    path = project / "crm.db"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE person (email TEXT, name TEXT, age INT, joined TEXT)")
        database.executemany(
            "INSERT INTO person VALUES (?, ?, ?, ?)",
            [
                ("ada@example.com", "Ada", 36, "2026-11-29 12:00:00"),
                ("bob example.com", None, 1, "2026-11-30 12:00:00"),
                ("eve@example.com", "伊娃", 7, "2026-12-01 12:00:00"),
            ],
        )
    return path


async def rows_of(opening: contextlib.AbstractAsyncContextManager[RecipientList]) -> list[Any]:
    async with opening as recipients:
        return [(row.number, row.key, row.fields) for row in recipients.rows()]


# SQL


async def test_a_statement_gives_rows_with_their_types(crm: Path, opened: Opening) -> None:
    rows = await rows_of(
        opened("sql: SELECT email, name, age FROM person WHERE age > 5", "url: sqlite:///crm.db")
    )

    assert rows == [
        (1, "ada@example.com", {"email": "ada@example.com", "name": "Ada", "age": 36}),
        (2, "eve@example.com", {"email": "eve@example.com", "name": "伊娃", "age": 7}),
    ]


async def test_a_bad_row_is_told_with_the_key_and_its_number(crm: Path, opened: Opening) -> None:
    async with opened("sql: SELECT email FROM person", "url: sqlite:///crm.db") as recipients:
        faults = [str(fault) for row in recipients.rows() for fault in row.faults]

    (told,) = faults
    assert told.startswith("campaigns/offer.yaml:5:8  recipients.sql: `bob example.com` is not")
    assert told.endswith("(row 2)")


async def test_the_instants_bound_what_is_new(crm: Path, opened: Opening) -> None:
    keys = (
        "sql: SELECT email FROM person WHERE joined > :last_run AND joined <= :now",
        "url: sqlite:///crm.db",
    )

    first = await rows_of(opened(*keys))
    later = await rows_of(opened(*keys, last_run=NOW - 86400))

    assert [key for _, key, _ in first] == ["ada@example.com", "bob example.com"]
    assert [key for _, key, _ in later] == ["bob example.com"]


async def test_the_database_is_only_read(crm: Path, refused: Any) -> None:
    kind, sentence = await refused("sql: DELETE FROM person", "url: sqlite:///crm.db")

    with contextlib.closing(sqlite3.connect(crm)) as database:
        assert database.execute("SELECT count(*) FROM person").fetchone() == (3,)
    assert kind is SourceUnavailable
    assert "readonly" in sentence


async def test_a_database_that_is_not_there_is_not_made(project: Path, refused: Any) -> None:
    _, sentence = await refused("sql: SELECT 1 AS email", "url: sqlite:///gone.db")

    assert "there is no database gone.db" in sentence
    assert not (project / "gone.db").exists()


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT * FROM nobody", "no such table: nobody"),
        ("SELECT email FROM person WHERE age > :limit", "`:limit` is no parameter"),
        ("SELECT name FROM person", "no column is called email"),
        ("SELECT email, name, name FROM person", "two columns are called `name`"),
    ],
)
async def test_what_is_wrong_with_a_statement_is_a_sentence(
    crm: Path, refused: Any, sql: str, sentence: str
) -> None:
    _, told = await refused(f"sql: {sql!r}", "url: sqlite:///crm.db")

    assert sentence in told
    assert str(crm.parent / "list") not in told


async def test_nobody_in_the_database_is_an_empty_list(crm: Path, refused: Any) -> None:
    kind, _ = await refused("sql: SELECT email FROM person WHERE 0", "url: sqlite:///crm.db")

    assert kind is NobodyToSendTo


@pytest.mark.parametrize(
    "url", ["postgresql://app:${PW}@127.0.0.1:1/x?password=${PW}", "nonsense ${PW}", "x://${PW}@h"]
)
async def test_the_password_is_in_no_error(refused: Any, url: str) -> None:
    _, sentence = await refused(
        "sql: SELECT 1 AS email", f"url: {url!r}", environ={"PW": "geheim-42"}
    )

    assert sentence
    assert "geheim-42" not in sentence


async def test_a_statement_that_does_not_end_is_ended(crm: Path, refused: Any) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    kind, sentence = await refused(f"sql: {endless}", "url: sqlite:///crm.db", "timeout: 100ms")

    assert kind is SourceUnavailable
    assert "gave no list within 100ms" in sentence


async def test_values_json_does_not_know_are_a_bad_row(crm: Path, opened: Opening) -> None:
    async with opened(
        "sql: SELECT email, x'00' AS photo FROM person WHERE age = 7", "url: sqlite:///crm.db"
    ) as recipients:
        (row,) = recipients.rows()

    assert "no text, number or date" in str(row.faults[0])


# HTTP


async def test_a_page_is_a_list(opened: Opening) -> None:
    async with page_server(lambda _: [page(LIST)]) as server:
        rows = await rows_of(
            opened(
                f"http: {server.url}/list.csv",
                "headers: {Authorization: 'Bearer ${TOKEN}'}",
                environ={"TOKEN": "geheim"},
            )
        )

    assert [key for _, key, _ in rows] == ["ada@example.com", "bob@example.com"]
    assert header(server.asked[0], "authorization") == "Bearer geheim"


async def test_json_lines_are_a_list_too(opened: Opening) -> None:
    async with page_server(lambda _: [page(b'{"email": "ada@example.com", "n": 1}\n')]) as server:
        rows = await rows_of(opened(f"http: {server.url}/", "format: jsonl"))

    assert rows == [(1, "ada@example.com", {"email": "ada@example.com", "n": 1})]


async def test_what_did_not_change_comes_from_the_shelf(opened: Opening, tmp_path: Path) -> None:
    def answer(head: str) -> Answer:
        if header(head, "if-none-match") == '"one"':
            return [b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"]
        return [page(LIST, 'ETag: "one"')]

    async with page_server(answer) as server:
        first = await rows_of(opened(f"http: {server.url}/", home=tmp_path))
        second = await rows_of(opened(f"http: {server.url}/", home=tmp_path))

    assert [header(head, "if-none-match") for head in server.asked] == ["", '"one"']
    assert first == second
    kept = [path for path in (tmp_path / "lists").iterdir() if path.suffix in {".body", ".json"}]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600, 0o600]


async def test_a_broken_shelf_is_not_asked_about(opened: Opening, tmp_path: Path) -> None:
    async with page_server(lambda _: [page(LIST, 'ETag: "one"')]) as server:
        await rows_of(opened(f"http: {server.url}/", home=tmp_path))
        (body,) = (tmp_path / "lists").glob("*.body")
        body.write_bytes(LIST[:-5])
        rows = await rows_of(opened(f"http: {server.url}/", home=tmp_path))

    assert header(server.asked[1], "if-none-match") == ""
    assert len(rows) == 2


TOO_LONG = b"email\n" + b"a@example.com\n" * 100_000


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ([page(LIST, length=len(LIST) + 10)], "cut off"),
        ([page(LIST, length=10**12)], "more than 1 MB"),
        ([page(TOO_LONG)], "more than 1 MB"),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nemai\r\n"],
            "cut off",
        ),
        (
            [
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                *[b"%x\r\n%s\r\n" % (len(TOO_LONG), TOO_LONG)],
                b"0\r\n\r\n",
            ],
            "more than 1 MB",
        ),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + LIST], "without a length"),
        ([b"\x00\x01garbage\r\n\r\n"], "cut off, or is none"),
        ([], "cut off"),
        ([page(b"no", status="503 Service Unavailable")], "503 Service Unavailable"),
        ([page(b"no", status="404 Not Found")], "404 Not Found"),
        ([page(b"", status="304 Not Modified")], "304"),
        ([page(b"", status="204 No Content")], "204"),
        ([page(LIST)[:-20], None], "gave no list within 1s"),
        ([None], "gave no list within 1s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_no_whole_list_is_none(
    refused: Any, tmp_path: Path, answer: Answer, sentence: str
) -> None:
    async with page_server(lambda _: answer) as server:
        kind, told = await refused(
            f"http: {server.url}/list.csv?token=geheim",
            "max_mb: 1",
            "timeout: 1s" if None in answer else "timeout: 60s",
            home=tmp_path,
        )

    assert kind is SourceUnavailable
    assert sentence in told
    assert "geheim" not in told
    assert not list((tmp_path / "lists").glob(f"{spool._PREFIX}*"))


async def test_a_redirect_within_the_host_is_followed(opened: Opening) -> None:
    def answer(head: str) -> Answer:
        if head.startswith("GET /old"):
            return [page(b"", "Location: /new", status="302 Found")]
        return [page(LIST)]

    async with page_server(answer) as server:
        rows = await rows_of(opened(f"http: {server.url}/old", "headers: {X-Key: geheim}"))

    assert len(rows) == 2
    assert [header(head, "x-key") for head in server.asked] == ["geheim", "geheim"]


async def test_what_is_secret_goes_to_no_other_host(refused: Any, opened: Opening) -> None:
    async with page_server(lambda _: [page(LIST)]) as other:
        away = page(b"", f"Location: {other.url}/", status="302 Found")
        async with page_server(lambda _: [away]) as server:
            kind, told = await refused(f"http: {server.url}/", "headers: {X-Key: geheim}")
            login = server.url.replace("//", "//user:geheim@")
            _, told_too = await refused(f"http: {login}/")
            asked = list(other.asked)
            rows = await rows_of(opened(f"http: {server.url}/"))

    assert kind is SourceUnavailable
    assert "another host" in told
    assert "another host" in told_too
    assert asked == []
    assert len(rows) == 2


async def test_a_circle_of_redirects_ends(refused: Any) -> None:
    around = page(b"", "Location: /", status="302 Found")
    async with page_server(lambda _: [around]) as server:
        _, told = await refused(f"http: {server.url}/")

    assert "more than 5 times" in told


@pytest.mark.parametrize(
    "address", ["http://192.0.2.1/list.csv", "ftp://x/", "list.csv", "http://"]
)
async def test_only_encrypted_addresses_are_asked(refused: Any, address: str) -> None:
    kind, told = await refused(f"http: {address}")

    assert kind is ConfigurationError
    assert "https://" in told


async def test_an_environment_variable_that_is_missing_is_named(refused: Any) -> None:
    kind, told = await refused("http: https://127.0.0.1/", "headers: {X-Key: '${GONE}'}")

    assert kind is ConfigurationError
    assert "the environment variable GONE is not set" in told


# A command


def python(code: str) -> str:
    """`command:` with this program; no single quote in it."""
    return f"command: ['{sys.executable}', -c, '{code}']"


async def test_a_command_prints_the_list(opened: Opening) -> None:
    rows = await rows_of(opened('command: [printf, "email,name\\nada@example.com,$HOME;\\n"]'))

    assert rows == [
        (1, "ada@example.com", {"email": "ada@example.com", "name": "$HOME;"}),
    ]


@pytest.mark.parametrize(
    ("command", "kind", "sentence"),
    [
        (
            "command: [sh, -c, 'echo email; echo a@b.example; echo no luck >&2; exit 3']",
            SourceUnavailable,
            "`sh` gave no list: exit status 3: no luck",
        ),
        ("command: [sh, -c, 'kill -9 $$']", SourceUnavailable, "ended by signal 9"),
        ("command: [no-such-program]", ConfigurationError, "`no-such-program` cannot be run"),
        ("command: ['true']", ConfigurationError, "the file is empty"),
        (
            "command: [echo, 'email,name']",
            NobodyToSendTo,
            "command: `echo` is empty: there is nobody to send to",
        ),
        (python('print("email\\\\n" + "a@b.example\\\\n" * 200000)'), SourceUnavailable, "1 MB"),
    ],
)
async def test_a_command_that_gives_none_is_told(
    refused: Any,
    command: str,
    kind: type[Exception],
    sentence: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caught, told = await refused(command, "max_mb: 1")

    assert caught is kind
    assert sentence in told
    assert "list.csv" not in told
    # asyncio warns where the exit status of a program was taken from under it.
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_a_command_that_does_not_end_is_ended(refused: Any) -> None:
    kind, told = await refused("command: [sleep, '600']", "timeout: 300ms")

    assert kind is SourceUnavailable
    assert "`sleep` gave no list within 300ms" in told


async def test_who_gives_up_leaves_nothing_of_a_command_behind(
    opened: Opening, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    command = f"command: [sh, -c, 'sleep 600 & echo $! > {pid}.new; mv {pid}.new {pid}; wait']"
    reading = asyncio.create_task(rows_of(opened(command)))

    await _is_there(pid)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert await _is_gone(int(pid.read_text()))


async def _is_there(path: Path) -> None:
    while not path.exists():  # noqa: ASYNC110, ASYNC240  # nobody tells
        await asyncio.sleep(0.01)


async def _is_gone(pid: int) -> bool:
    """A killed child of nobody is gone as soon as init looks: a zombie counts as gone."""
    while state(pid) not in {"", "Z"}:  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.01)
    return True


# The spool


async def test_a_list_can_be_read_again_and_is_gone_afterwards(
    opened: Opening, tmp_path: Path
) -> None:
    async with opened(
        'command: [printf, "email\\nada@example.com\\n"]', home=tmp_path
    ) as recipients:
        first, again = [list(recipients.rows()) for _ in range(2)]
        digests = {recipients.sha256(), recipients.sha256()}
        (folder,) = (tmp_path / "lists").glob(f"{spool._PREFIX}*")
        is_private = folder.stat().st_mode & 0o777 == 0o700

    assert first == again
    assert len(digests) == 1
    assert is_private
    assert not folder.exists()


def test_what_a_killed_run_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    left = tmp_path / "lists" / f"{spool._PREFIX}left"
    left.mkdir(parents=True)
    (left / "list.csv").write_text("email\n")

    with spool.spool_folder(tmp_path) as first, spool.spool_folder(tmp_path) as second:
        both_there = first.is_dir() and second.is_dir()

    assert both_there
    assert not left.exists()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("sql: SELECT 1\n", "needs the database's `url`"),
        ("sql: SELECT 1\n  url: x\n  path: a.csv\n", "`path` and `sql` both say"),
        ("path: a.csv\n  headers: {X: y}\n", "is for `http`, and this is `path`"),
        ("command: [x]\n  sheet: one\n", "is for `path`, and this is `command`"),
        ("email: x\n", "needs a `path`"),
    ],
)
def test_keys_that_do_not_go_together_are_told(faults: Any, lines: str, sentence: str) -> None:
    base = "from: people@example.com\nsubject: Hello\ntext: hello.txt\n"

    assert any(sentence in fault for fault in faults(f"recipients:\n  {lines}", base))
