"""The local gateway: what it takes, what it refuses, what it keeps."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from bulkmail.errors import ConfigurationError
from bulkmail.secret import Secret
from bulkmail.sink import TextSink, TextSinkSettings

KEY = "the-key"


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[TextSink]:
    settings = TextSinkSettings(directory=tmp_path / "kept", account="C1", key=Secret(KEY))
    async with TextSink(settings) as sink:
        yield sink


async def post(sink: TextSink, **fields: str) -> dict[str, Any]:
    form = {"account": "C1", "password": KEY, "mobile": "13800138000", "content": "你好"} | fields
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(sink.endpoint, data=form)
    document: dict[str, Any] = answer.json()
    return document


def signed(time: str, content: str = "你好") -> str:
    text = f"C1{KEY}13800138000{content}{time}"
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  # the protocol's


async def test_a_text_is_kept_as_it_is(sink: TextSink) -> None:
    document = await post(sink)

    assert (document["code"], document["smsid"]) == (2, "sink000000000001")
    folder = sink.settings.directory
    assert (folder / "000001-13800138000.txt").read_bytes() == "你好".encode()
    (line,) = (folder / "texts.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["mobile"] == "13800138000"


async def test_a_signature_is_checked(sink: TextSink) -> None:
    now = f"{int(sink._clock.time()):010d}"

    right = await post(sink, time=now, password=signed(now))
    other_text = await post(sink, time=now, password=signed(now, "hello"))
    old = await post(sink, time="1000000000", password=signed("1000000000"))
    no_time = await post(sink, password=signed(now))

    assert [answer["code"] for answer in (right, other_text, old, no_time)] == [2, 405, 405, 405]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"account": ""}, 401),
        ({"password": ""}, 402),
        ({"mobile": ""}, 403),
        ({"content": ""}, 404),
        ({"account": "C2"}, 405),
        ({"password": "wrong"}, 405),
        ({"mobile": "../../etc"}, 406),
        ({"content": "x" * 301}, 4073),
    ],
)
async def test_what_it_does_not_take_has_ihuyis_code(
    fields: dict[str, str], code: int, sink: TextSink
) -> None:
    assert (await post(sink, **fields))["code"] == code
    assert not list(sink.settings.directory.glob("*.txt"))


async def test_numbers_go_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    for number in (1, 2):
        async with TextSink(TextSinkSettings(directory=tmp_path)) as sink:
            assert (await post(sink, account="anybody"))["smsid"].endswith(str(number))


async def test_two_cannot_listen_on_one_port(sink: TextSink, tmp_path: Path) -> None:
    other = TextSink(TextSinkSettings(directory=tmp_path, port=sink.port))

    with pytest.raises(ConfigurationError, match="cannot listen on"):
        await other.__aenter__()


@pytest.mark.parametrize(
    "request_",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"POST /\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST /x HTTP/1.1\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
    ],
    ids=["no http", "half a line", "negative", "too long", "endless head"],
)
async def test_what_is_no_request_ends_its_connection_alone(
    request_: bytes, sink: TextSink
) -> None:
    reader, writer = await asyncio.open_connection(sink.host, sink.port)
    writer.write(request_)
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()

    assert (await post(sink))["code"] == 2


async def test_one_connection_takes_many(sink: TextSink) -> None:
    form = urlencode({"account": "C1", "password": KEY, "mobile": "13800138000", "content": "x"})
    async with httpx2.AsyncClient(trust_env=False) as client:
        codes = [(await client.post(sink.endpoint, content=form)).json()["code"] for _ in range(5)]

    assert codes == [2] * 5
