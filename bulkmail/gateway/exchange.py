"""One request and its answer over HTTP (RFC 9110), with the one instant that counts kept.

A request that did not begin to go out can be tried again by anybody. From its first byte on the
gateway may have it, whatever breaks then. httpcore tells the instant by its `trace` extension, and
waits for what is done there: the mark is durable before the first byte.

A gateway that answers twice leaves the second answer where the next request's is read. One that is
there without a turn of the loop, which every read from the network takes, came before it was asked.
Where a connection that is used again breaks, each request has one of its own from then on: of a
gateway that does so each time, every other message would be in doubt.

Bounds: an answer of `MAX_ANSWER_BYTES`, and the whole exchange within the gateway's `timeout`,
however it drips. Redirects are not followed: key and text go where it is written, and nowhere else.
Nothing is taken from the environment (proxies, netrc).
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field

import httpx2

from bulkmail.errors import ConnectFailed, MessageRefusedLocally, SessionError, StageTimeout
from bulkmail.gateway.step import Step
from bulkmail.settings import GatewaySettings
from bulkmail.value_class import value_class

#: More than any gateway answers to one message; what is longer is no answer of one.
MAX_ANSWER_BYTES = 65536
#: Seconds an idle connection is kept: shorter than servers keep theirs, so that a request seldom
#: meets one that is being closed, which would leave it in doubt.
KEEPALIVE = 4.0
#: Seconds for a connection and its handshake.
CONNECT_TIMEOUT = 10.0
#: Seconds for closing what is idle.
_CLOSING = 1.0


@value_class
class HttpRequest:
    """What is sent."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@value_class
class HttpAnswer:
    """What came back, as much as came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Why the body is not whole; "" when it is.
    fault: str = ""


@value_class
class Silence:
    """The request was sent, or began to be, and there is no answer to it."""

    reason: str


class TlsRefused(SessionError):
    """The certificate is not one to trust, or there was no handshake: nothing was sent."""


class Exchanges:
    """The way to one gateway: pooled connections, as many as it may have."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Nothing is connected yet."""
        self._timeout = settings.timeout
        host, port = settings.origin
        self._where = f"{host}:{port}"
        self._client = httpx2.AsyncClient(
            verify=_trust(settings),
            # Answers are short: what is packed would only be a way to make them long.
            headers={"Accept-Encoding": "identity", "User-Agent": "bulkmail"},
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(
                settings.timeout, connect=min(CONNECT_TIMEOUT, settings.timeout), pool=None
            ),
            limits=httpx2.Limits(
                max_connections=settings.connections,
                max_keepalive_connections=settings.connections,
                keepalive_expiry=KEEPALIVE,
            ),
        )

    async def ask(
        self, request: HttpRequest, before: Callable[[], Awaitable[None]]
    ) -> HttpAnswer | Silence:
        """Send a request and read its answer. `before` is awaited just before its first byte.

        What `before` raises is passed on, nothing having been sent. Raises `SessionError` where
        nothing was sent for want of a connection, `MessageRefusedLocally` where the request cannot
        be one.
        """
        exchange = _Exchange(self._client, self._where, self._timeout)
        answer = await exchange.run(request, before)
        if exchange.has_broken and exchange.is_used_again:
            self._client.headers["Connection"] = "close"
        return answer

    async def close(self) -> None:
        """Close what is idle. Never raises, and is bounded in time."""
        with contextlib.suppress(TimeoutError, OSError, httpx2.HTTPError, RuntimeError):
            async with asyncio.timeout(_CLOSING):
                await self._client.aclose()


class _Exchange:
    """One exchange under way."""

    def __init__(self, client: httpx2.AsyncClient, where: str, seconds: float) -> None:
        self._client = client
        self._where = where
        self._timeout = seconds
        self._has_begun = False
        self._has_waited = False
        #: Whether its connection served another one before.
        self.is_used_again = True
        #: Whether that was lost behind the request, or what came on it is no answer.
        self.has_broken = False
        self._response: httpx2.Response | None = None
        self._body = bytearray()

    async def run(
        self, request: HttpRequest, before: Callable[[], Awaitable[None]]
    ) -> HttpAnswer | Silence:
        async def trace(event: str, info: Mapping[str, object]) -> None:
            del info
            await self._follow(event, before)

        fault = ""
        try:
            async with asyncio.timeout(self._timeout):
                async with self._client.stream(
                    request.method,
                    request.url,
                    headers=dict(request.headers),
                    content=request.body,
                    extensions={"trace": trace},
                ) as response:
                    self._response = response
                    fault = await self._read(response)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
            raise MessageRefusedLocally(f"the request cannot be made: {error}") from error
        except TimeoutError as error:
            what = "answer" if self._response is None else "whole answer"
            fault = f"no {what} within {self._timeout:g} s"
            if not self._has_begun:
                raise StageTimeout(
                    f"{self._where}: no connection within {self._timeout:g} s",
                    host=self._where,
                    stage=Step.CONNECT,
                ) from error
        except httpx2.TransportError as error:
            if not self._has_begun:
                raise _no_connection(error, self._where) from error
            self.has_broken = not isinstance(error, httpx2.TimeoutException)
            fault = _sentence(error, self._timeout)
        if self._response is None:
            return Silence(fault)
        headers = {name.lower(): value for name, value in self._response.headers.items()}
        body = _unpacked(bytes(self._body), headers.get("content-encoding", ""))
        return HttpAnswer(self._response.status_code, headers, body, fault)

    async def _follow(self, event: str, before: Callable[[], Awaitable[None]]) -> None:
        """Take part in an event of httpcore's."""
        if event == "connection.connect_tcp.started":
            self.is_used_again = False
        elif event == "http11.send_request_headers.started":
            await before()
            self._has_begun = True
        elif event == "http11.receive_response_headers.started":
            asyncio.get_running_loop().call_soon(self._wait_began)
        elif event == "http11.receive_response_headers.complete" and not self._has_waited:
            raise httpx2.RemoteProtocolError("an answer was there before the request")

    def _wait_began(self) -> None:
        self._has_waited = True

    async def _read(self, response: httpx2.Response) -> str:
        """Read the body; what is wrong with it."""
        async for chunk in response.aiter_raw():
            self._body += chunk
            if len(self._body) > MAX_ANSWER_BYTES:
                del self._body[MAX_ANSWER_BYTES:]
                return f"an answer of more than {MAX_ANSWER_BYTES} bytes"
        return ""


def _unpacked(body: bytes, encoding: str) -> bytes:
    """The body of a server that packs it though nobody asked for that; at most the bound of it."""
    if encoding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return body
    try:
        # Either of both: zlib finds out which by its first octets.
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, MAX_ANSWER_BYTES)
    except zlib.error:
        return body


def _trust(settings: GatewaySettings) -> ssl.SSLContext:
    """Which certificates are taken: the system's and `ca_file`, or any where that is written."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        context.load_verify_locations(settings.ca_file)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _no_connection(error: httpx2.TransportError, where: str) -> SessionError:
    cause = _tls_cause(error)
    if cause is not None:
        reason = getattr(cause, "verify_message", "") or cause.reason or str(cause)
        return TlsRefused(
            f"{where}: no TLS to trust: {reason}", host=where, stage=Step.CONNECT.value
        )
    if isinstance(error, httpx2.TimeoutException):
        return StageTimeout(f"{where} does not answer", host=where, stage=Step.CONNECT.value)
    return ConnectFailed(
        f"{where} cannot be reached: {str(error) or type(error).__name__}",
        host=where,
        stage=Step.CONNECT.value,
    )


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _sentence(error: httpx2.TransportError, timeout: float) -> str:
    match error:
        case httpx2.TimeoutException():
            return f"no answer within {timeout:g} s"
        case httpx2.RemoteProtocolError():
            return f"the connection ended, or what came is no HTTP: {error}"
    return f"the connection was lost: {str(error) or type(error).__name__}"
