"""From an HTTP answer to an outcome, as far as every gateway means the same by it (RFC 9110, 15).

What says that a message was taken, and what else a gateway says in its own words, is the
provider's (`ihuyi.py`, `described.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus

from bulkmail.gateway.exchange import HttpAnswer
from bulkmail.gateway.step import Step
from bulkmail.outcome import (
    Accepted,
    Blame,
    InDoubt,
    Outcome,
    Overload,
    PermanentFailure,
    TransientFailure,
)
from bulkmail.smtp.reply import Reply
from bulkmail.value_class import value_class

#: The account is refused.
_LOGIN = frozenset({401, 403, 407})
#: It is not there where the request went to: the same for everybody.
_ELSEWHERE = frozenset({404, 405, 410, 421, 501})
_TOO_MANY = 429
_LATER = frozenset({408, 425})
_SUCCESS, _REDIRECT, _SERVER_ERROR = 2, 3, 5
#: A proxy handed the request on and waited for its answer in vain.
_IN_VAIN = 504
_LONGEST_WAIT = 86400.0
_EXCERPT = 200
#: Shorter ones would be found in anything.
_SHORTEST_SECRET = 4
_DIGITS = re.compile(r"[0-9]{4,}")

#: Stands where an answer is no JSON; `null` is some.
NO_JSON = object()


@value_class
class Discretion:
    """What of an answer may not be shown: gateways repeat what they were sent."""

    #: Keys, passwords, signatures.
    secrets: tuple[str, ...]
    #: The message's text: it may be a code.
    text: str

    def __call__(self, shown: str) -> str:
        """`shown` without any of it, in one line."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                for form in {secret, quote(secret), quote_plus(secret)}:
                    shown = shown.replace(form, "********")
        for form in (self.text, quote(self.text), quote_plus(self.text)):
            if form.strip():
                shown = shown.replace(form, "[the text]")
        for code in set(_DIGITS.findall(self.text)):
            shown = re.sub(rf"(?<![0-9]){code}(?![0-9])", "****", shown)
        return _one_line(shown)


def _one_line(text: str) -> str:
    """What can be shown of it, and stored: JSON may hold halves of surrogate pairs."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@value_class
class Read:
    """An answer, read: its JSON where it is some, and words for a person."""

    answer: HttpAnswer
    document: Any
    #: Epoch seconds.
    now: float
    discreet: Discretion

    @classmethod
    def of(cls, answer: HttpAnswer, now: float, discreet: Discretion) -> Read:
        """Read an answer."""
        return cls(answer, _document(answer), now, discreet)

    @property
    def is_json(self) -> bool:
        """Whether it is a whole JSON document."""
        return self.document is not NO_JSON

    @property
    def excerpt(self) -> str:
        """The beginning of it, nothing in it that may not be shown."""
        if self.is_json:
            text = json.dumps(self.document, ensure_ascii=False)
        else:
            text = self.answer.body.decode("utf-8", "replace")
        text = self.discreet(text)
        return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"

    def reply(self, text: str = "") -> Reply:
        """The answer as the ledger keeps it."""
        return Reply(self.answer.status, (self.discreet(text) or self.excerpt,))

    def accepted(self, reply: Reply, gateway_id: object) -> Accepted:
        """It took the message."""
        known = None if gateway_id in {None, ""} else _one_line(str(gateway_id))
        return Accepted(reply=reply, stage=Step.ANSWER, gateway_id=known)

    def refused(self, blame: Blame, reply: Reply, *, ends_use: bool = False) -> PermanentFailure:
        """It refused the message for good, or the account."""
        return PermanentFailure(
            blame=blame,
            stage=Step.ANSWER,
            reply=reply,
            reason=f"refused: {reply}",
            is_counted=not ends_use,
            ends_use=ends_use,
        )

    def later(self, blame: Blame, reply: Reply, overload: Overload | None = None) -> Outcome:
        """It may take it later."""
        return TransientFailure(
            blame=blame,
            stage=Step.ANSWER,
            reply=reply,
            reason=f"not now: {reply}",
            is_counted=True,
            overload=overload,
            retry_after=self.retry_after,
        )

    def in_doubt(self, why: str) -> InDoubt:
        """It may have taken it."""
        return InDoubt(reason=f"sent, and {why}", stage=Step.ANSWER)

    @property
    def unreadable(self) -> InDoubt:
        """An answer came and does not say what became of the message."""
        if self.answer.fault:
            why = f"the answer ({self.answer.status}) broke off: {self.answer.fault}"
        elif self.is_json:
            why = f"the answer does not say what became of it: {self.excerpt}"
        else:
            why = f"the answer ({self.answer.status}) is no JSON: {self.excerpt or 'empty'}"
        return self.in_doubt(why)

    @property
    def retry_after(self) -> float | None:
        """Seconds of Retry-After (RFC 9110, 10.2.3), a day at most; None where there is none."""
        text = self.answer.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:9]), _LONGEST_WAIT)
        try:
            at = parsedate_to_datetime(text).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(0.0, at - self.now), _LONGEST_WAIT)

    def by_status(self, text: str = "") -> Outcome | None:
        """What the status alone says; None where it is 2xx, and says nothing of the message."""
        status, reply = self.answer.status, self.reply(text)
        outcome: Outcome | None
        if status // 100 == _SUCCESS:
            outcome = None
        elif status // 100 == _REDIRECT:
            outcome = self._redirected()
        elif status == _IN_VAIN:
            outcome = self.in_doubt(f"a proxy waited for the answer in vain: {reply}")
        elif status in _LOGIN | _ELSEWHERE:
            outcome = self.refused(Blame.SERVER, reply, ends_use=True)
        elif status == _TOO_MANY:
            outcome = self.later(Blame.SERVER, reply, Overload.SERVER)
        elif status in _LATER or status // 100 == _SERVER_ERROR:
            outcome = self.later(Blame.SERVER, reply)
        else:
            outcome = self.refused(Blame.MESSAGE, reply)
        return outcome

    def _redirected(self) -> Outcome:
        where = self.discreet(self.answer.headers.get("location", "")) or "nowhere"
        sentence = (
            f"a redirect to {where}, which is not followed: account and text go where it is "
            "written alone. If that is the place, write it as the gateway's address"
        )
        reply = Reply(self.answer.status, (sentence,))
        return self.refused(Blame.SERVER, reply, ends_use=True)


def _document(answer: HttpAnswer) -> Any:
    if answer.fault:
        return NO_JSON
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return NO_JSON


def text_or(value: object, otherwise: Iterable[str] = ()) -> str:
    """A value of an answer as words; the first of `otherwise` where it is none."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    return next(iter(otherwise), "")
