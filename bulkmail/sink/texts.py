"""A local gateway for text messages: speaks ihuyi's protocol, keeps the texts, sends none.

    DIR/000001-13800138000.txt   the text, in UTF-8
    DIR/texts.jsonl              {"file": …, "at": …, "mobile": …, "characters": …}

HTTP/1.1 as far as a client of ours needs it (RFC 9112): requests one after another on a
connection, a body with its length. Bounds on headers and body are kept; what is beyond them, or no
HTTP, ends the connection. The text is in its file before its sender has the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from bulkmail.clock import Clock, SystemClock, rfc3339
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.message.eml_name import eml_name, is_eml_name
from bulkmail.secret import Secret
from bulkmail.sink.ihuyi_password import fits
from bulkmail.sink.listening import cannot_listen
from bulkmail.value_class import value_class

LINES = "texts.jsonl"
SUFFIX = ".txt"
_MAX_HEAD = 16384
_MAX_BODY = 65536
#: ihuyi takes texts of 300 characters.
_MAX_CHARACTERS = 300
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


@value_class(kw_only=True)
class TextSinkSettings:
    """One local gateway, complete."""

    #: Where the texts are kept; made where it is missing.
    directory: Path
    host: str = "127.0.0.1"
    #: 0 is any free one.
    port: int = 0
    #: Both or neither: without them every account is taken.
    account: str | None = None
    key: Secret | None = None


@value_class(kw_only=True)
class KeptText:
    """One text the gateway took."""

    number: int
    path: Path
    mobile: str
    text: str
    at: float


def _unobserved(_: KeptText) -> None:
    """Nobody watches."""


class TextSink:
    """``async with TextSink(settings) as sink``: listens from entry to exit.

    Entry raises `ConfigurationError` where it cannot listen or write.
    """

    def __init__(
        self,
        settings: TextSinkSettings,
        *,
        clock: Clock | None = None,
        on_kept: Callable[[KeptText], None] = _unobserved,
    ) -> None:
        self.settings = settings
        #: The one in use.
        self.port = settings.port
        self._clock = clock or SystemClock()
        self._on_kept = on_kept
        self._last = 0
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._resources = contextlib.AsyncExitStack()

    @property
    def host(self) -> str:
        """Where it listens."""
        return self.settings.host

    @property
    def endpoint(self) -> str:
        """What a gateway's `endpoint` has to be for it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/webservice/sms.php?method=Submit"

    async def __aenter__(self) -> Self:
        folder = self.settings.directory
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._last = max(
                (
                    int(path.name.partition("-")[0])
                    for path in folder.iterdir()
                    if is_eml_name(path.name, SUFFIX)
                ),
                default=0,
            )
        except OSError as error:
            message = f"cannot be written: {error.strerror or error}. Name another folder"
            raise ConfigurationError(
                Fault(path=str(folder), key="--dir", message=message)
            ) from error
        try:
            server = await asyncio.start_server(
                self._serve, self.host, self.settings.port, limit=_MAX_HEAD
            )
        except (OSError, OverflowError) as error:
            raise cannot_listen(self.host, self.settings.port, error) from error
        self.port = server.sockets[0].getsockname()[1]
        self._resources.push_async_callback(self._hang_up, server)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._resources.aclose()

    async def _hang_up(self, server: asyncio.Server) -> None:
        server.close()
        open_still = dict(self._connections)
        for writer in open_still.values():
            writer.transport.abort()
        if open_still:
            await asyncio.wait(open_still)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise AssertionError("a connection is served in a task")
        self._connections[task] = writer
        try:
            with contextlib.suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError):
                while await self._one(reader, writer):
                    pass
        finally:
            del self._connections[task]
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether another may follow."""
        head = await reader.readuntil(b"\r\n\r\n")
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = request_line.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= _MAX_BODY:
            raise ValueError("a body of a length that nothing here has")
        body = await reader.readexactly(length)
        status, document = self._answer(method, target, body)
        content = json.dumps(document, ensure_ascii=False).encode()
        reason = _REASONS.get(status, "")
        writer.write(
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + (b"" if method == "HEAD" else content)
        )
        await writer.drain()
        return headers.get("connection", "").lower() != "close"

    def _answer(self, method: str, target: str, body: bytes) -> tuple[int, Mapping[str, object]]:
        parts = urlsplit(target)
        query = _fields(parts.query)
        if method == "HEAD" or query.get("method") != "Submit":
            return 404, _refusal(0, "there is only ?method=Submit here")
        if method not in {"POST", "GET"}:
            return 405, _refusal(0, "POST a form")
        fields = query | _fields(body.decode("utf-8", "replace"))
        refusal = self._refused(fields)
        if refusal is not None:
            return 200, _refusal(*refusal)
        kept = self._keep(fields["mobile"], fields["content"])
        self._on_kept(kept)
        return 200, {"code": 2, "msg": "提交成功", "smsid": f"sink{kept.number:012d}"}

    def _refused(self, fields: Mapping[str, str]) -> tuple[int, str] | None:
        """The code and its words, as ihuyi gives them; None: it takes the text."""
        for name, code, words in (
            ("account", 401, "帐号不能为空"),
            ("password", 402, "密码不能为空"),
            ("mobile", 403, "手机号码不能为空"),
            ("content", 404, "短信内容不能为空"),
        ):
            if not fields.get(name):
                return code, words
        if self.settings.account is not None and self.settings.key is not None:
            is_known = hmac.compare_digest(
                fields["account"].encode(), self.settings.account.encode()
            )
            key = self.settings.key.reveal()
            if not is_known or not fits(fields, key, self._clock.time()):
                return 405, "API ID 或 API KEY 不正确"
        if not fields["mobile"].removeprefix("+").isdigit():
            return 406, "手机号码格式不正确"
        if len(fields["content"]) > _MAX_CHARACTERS:
            return 4073, "短信内容超出长度限制"
        return None

    def _keep(self, mobile: str, text: str) -> KeptText:
        """Write one text: whole, or not at all."""
        folder, number = self.settings.directory, self._last + 1
        kept = KeptText(
            number=number,
            path=folder / eml_name(number, mobile, SUFFIX),
            mobile=mobile,
            text=text,
            at=self._clock.time(),
        )
        partial = folder / f".{number:06d}.part"
        partial.write_text(text, encoding="utf-8", newline="")
        partial.replace(kept.path)
        self._last = number
        line = {
            "file": kept.path.name,
            "at": rfc3339(kept.at),
            "mobile": mobile,
            "characters": len(text),
        }
        with (folder / LINES).open("ab", buffering=0) as lines:
            os.write(lines.fileno(), json.dumps(line, ensure_ascii=False).encode() + b"\n")
        return kept


def _fields(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _refusal(code: int, words: str) -> dict[str, object]:
    return {"code": code, "msg": words, "smsid": "0"}
