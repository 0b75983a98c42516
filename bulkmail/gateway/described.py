"""Any gateway that is described in YAML: its request, filled in, and how its answer is read."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any
from urllib.parse import urlencode, urlsplit

from bulkmail.campaign.json_path import JsonSteps, look_up
from bulkmail.errors import MessageRefusedLocally
from bulkmail.gateway.exchange import HttpAnswer, HttpRequest
from bulkmail.gateway.judging import Discretion, Read, text_or
from bulkmail.message.sms.secret_marks import ACCOUNT, PASSWORD, filled, masked
from bulkmail.message.sms.text_message import RenderedRequest, TextMessage
from bulkmail.outcome import Blame, Outcome
from bulkmail.secret import Secret
from bulkmail.settings import AnswerPattern, GatewaySettings

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


class Described:
    """Requests to a gateway of `provider: http`, and what its answers come to."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings

    def request(
        self, message: TextMessage, account: str, password: Secret, now: float
    ) -> tuple[HttpRequest, tuple[str, ...], Discretion]:
        """The request, its lines for a transcript, and what may not be shown of its answer.

        Raises `MessageRefusedLocally` where it cannot be one.
        """
        del now
        rendered = message.request
        if rendered is None:
            raise AssertionError("a message for a described gateway carries its request")
        own = {ACCOUNT: Secret(account), PASSWORD: password}
        known = {**self._settings.secrets, **own}
        headers = self._headers(message, rendered, known)
        request = HttpRequest(
            self._settings.method,
            self._url(rendered, known),
            {name: _latin(name, value) for name, value in headers.items()},
            _body(rendered, known),
        )
        secrets = tuple(
            secret.reveal() for name, secret in known.items() if name != ACCOUNT and secret.reveal()
        )
        secrets += tuple(v for n, v in headers.items() if n.lower() == "authorization")
        return request, self._lines(rendered), Discretion(secrets, message.text)

    def _url(self, rendered: RenderedRequest, known: dict[str, Secret]) -> str:
        url = str(filled(rendered.url, known))
        if _origin(url) != _origin(self._settings.url):
            raise MessageRefusedLocally(
                "the gateway's `url` leads to another host than the one that is written in it"
            )
        if not rendered.query:
            return url
        query = urlencode(filled(dict(rendered.query), known))
        return f"{url}{'&' if urlsplit(url).query else '?'}{query}"

    def _headers(
        self,
        message: TextMessage,
        rendered: RenderedRequest,
        known: dict[str, Secret],
    ) -> dict[str, str]:
        headers: dict[str, str] = {"Accept": _JSON}
        if rendered.json is not None:
            headers["Content-Type"] = _JSON
        elif rendered.form:
            headers["Content-Type"] = _FORM
        if self._settings.is_basic:
            pair = f"{known[ACCOUNT].reveal()}:{known[PASSWORD].reveal()}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        if self._settings.idempotency_header is not None:
            key = uuid.uuid5(uuid.NAMESPACE_URL, f"mid:{message.message_id.strip('<>')}")
            headers[self._settings.idempotency_header] = str(key)
        written: dict[str, str] = filled(dict(rendered.headers), known)
        taken = {name.lower() for name in written}
        return {n: v for n, v in headers.items() if n.lower() not in taken} | written

    def _lines(self, rendered: RenderedRequest) -> tuple[str, ...]:
        shown = ", ".join(f"{place}={value}" for place, value in rendered.shown.items())
        where = urlsplit(str(masked(rendered.url)))
        first = f"{self._settings.method} {where.scheme}://{where.netloc}{rendered.shown_path}"
        return (first, shown) if shown else (first,)

    def outcome(self, answer: HttpAnswer, now: float, discreet: Discretion) -> Outcome:
        """What an answer comes to."""
        settings, read = self._settings, Read.of(answer, now, discreet)
        words = text_or(self._at(read, settings.error))
        if any(self._fits(pattern, read) for pattern in settings.retry_when):
            return read.later(Blame.SERVER, read.reply(words))
        if self._is_taken(read):
            return read.accepted(read.reply(), text_or(self._at(read, settings.message_id)))
        by_status = read.by_status(words)
        if by_status is not None:
            return by_status
        if not read.is_json or (
            settings.success.steps is not None
            and self._at(read, settings.success.steps) is None
            and not words
        ):
            return read.unreadable
        return read.refused(Blame.MESSAGE, read.reply(words))

    def _is_taken(self, read: Read) -> bool:
        pattern = self._settings.success
        is_page = "html" in read.answer.headers.get("content-type", "")
        if pattern.steps is None and (read.answer.fault or is_page):
            # Nothing of the JSON is asked: a page for people is still no gateway's answer.
            return False
        if pattern.statuses or read.answer.status // 100 == 2:  # noqa: PLR2004  # 2xx
            return self._fits(pattern, read)
        return False

    def _fits(self, pattern: AnswerPattern, read: Read) -> bool:
        if pattern.statuses and read.answer.status not in pattern.statuses:
            return False
        if pattern.steps is None:
            return True
        found = self._at(read, pattern.steps)
        if not pattern.values:
            return found is not None and found is not False
        return any(_same(found, value) for value in pattern.values)

    @staticmethod
    def _at(read: Read, steps: JsonSteps | None) -> Any:
        if steps is None or not read.is_json:
            return None
        return look_up(read.document, steps)


def _same(found: Any, value: object) -> bool:
    """Whether an answer's value is the one that is written; a number may be written as text."""
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    if not isinstance(found, str | int | float):
        return False
    return found == value or str(found) == str(value)


def _body(rendered: RenderedRequest, known: dict[str, Secret]) -> bytes:
    if rendered.json is not None:
        return json.dumps(filled(rendered.json, known), ensure_ascii=False).encode()
    return urlencode(filled(dict(rendered.form), known)).encode()


def _latin(name: str, value: str) -> str:
    """A header's value as it can go out (RFC 9110, 5.5): one line of ASCII, or refused."""
    if not value.isascii() or not value.isprintable():
        raise MessageRefusedLocally(
            f"the header {name} holds more than ASCII: write it in a form or in JSON"
        )
    return value.strip()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        origin = parts.scheme, parts.hostname, parts.port
    except ValueError:
        return "", None, None
    return origin
