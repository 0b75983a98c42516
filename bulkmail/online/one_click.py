"""One-click unsubscribe (RFC 8058, 3.2): whether the endpoint answers a provider's POST."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from bulkmail.online.finding import Finding, advice

if TYPE_CHECKING:
    import httpx2

#: Seconds for the whole exchange.
TIMEOUT = 10.0
_FORM = {"List-Unsubscribe": "One-Click"}


async def one_click(url: str, *, transport: httpx2.AsyncBaseTransport | None = None) -> Finding:
    """POST to the link of nobody's token, as a mail provider would. Raises nothing.

    `transport` stands in for the network. Needs the extra `http`; without it the finding says so.
    """
    try:
        import httpx2  # noqa: PLC0415  # an extra
    except ImportError:
        sentence = "One click: not asked; that needs `pip install 'bulkmail[http]'`"
        return advice(is_good=None, sentence=sentence)
    try:
        async with httpx2.AsyncClient(transport=transport, timeout=TIMEOUT) as client:
            response = await client.post(url, data=_FORM, follow_redirects=False)
    except httpx2.HTTPError as error:
        return advice(
            is_good=False,
            sentence=f"One click: {_place(url)} gave no answer to a POST "
            f"({type(error).__name__}): readers could not leave",
        )
    return _judged(_place(url), response.status_code)


def _place(url: str) -> str:
    return url.partition("?")[0]


def _judged(place: str, status: int) -> Finding:
    told = f"One click: {place} answers a POST with {status}"
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return advice(is_good=True, sentence=told)
    if status < HTTPStatus.BAD_REQUEST:
        return advice(
            is_good=False,
            sentence=f"{told}, a redirect: providers do not follow one (RFC 8058, 3.1); answer "
            "where the link leads",
        )
    if status in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED):
        return advice(is_good=False, sentence=f"{told}: it has to take POST (RFC 8058, 3.2)")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
        return advice(
            is_good=False, sentence=f"{told}: providers have no login there (RFC 8058, 3.2)"
        )
    if status == HTTPStatus.NOT_FOUND or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return advice(is_good=False, sentence=f"{told}: nobody is there who takes it")
    return advice(is_good=True, sentence=f"{told}: it refuses the token of nobody, as it may")
