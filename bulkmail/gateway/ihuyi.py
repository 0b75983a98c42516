"""互亿无线 (ihuyi): its form, its dynamic password, its codes.

POST of `account`, `password`, `mobile`, `content`, `format=json`; signed, the password is the MD5
of account, key, number, text and time, in hex, and `time` a Unix time of ten digits. The answer is
``{"code": 2, "msg": "提交成功", "smsid": "…"}``; every other code is a refusal.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from bulkmail.gateway.exchange import HttpAnswer, HttpRequest
from bulkmail.gateway.judging import Discretion, Read, text_or
from bulkmail.message.sms.secret_marks import MASK
from bulkmail.message.sms.text_message import TextMessage
from bulkmail.outcome import Blame, Outcome
from bulkmail.secret import Secret
from bulkmail.settings import GatewaySettings
from bulkmail.smtp.reply import Reply

_TAKEN = 2
#: The account, its key, its money, its address: the same for everybody until somebody mends it.
_ACCOUNT = frozenset({400, 401, 402, 405, 4050, 40501, 40502, 4051, 4052})
#: This number.
_NUMBER = frozenset({403, 406, 408, 4030})
#: Too often to this number: by second, minute, day.
_TOO_OFTEN = frozenset({4080, 4081, 4082, 4083, 4084, 4085, 4086})
_HINTS: Mapping[int, str] = {
    405: "account is the API ID and password the API KEY, both of 验证码通知短信 → 产品总览",
    40501: "the dynamic password has run out: is this machine's clock right?",
    40502: "the dynamic password does not fit: is the API KEY right?",
    4051: "the account has no messages left",
    4052: "this machine's address is not the one that was put on file",
}
#: No longer than the ledger can hold it.
_CODE = re.compile(r"-?[0-9]{1,9}")
_CHINA = "+86"


class Ihuyi:
    """Requests to ihuyi, and what its answers come to."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings

    def request(
        self, message: TextMessage, account: str, password: Secret, now: float
    ) -> tuple[HttpRequest, tuple[str, ...], Discretion]:
        """The request, its lines for a transcript, and what may not be shown of its answer."""
        key, sent = password.reveal(), password.reveal()
        # Its interface knows numbers of China, without their country code.
        mobile = message.number.removeprefix(_CHINA)
        fields = {"account": account, "mobile": mobile, "content": message.text, "format": "json"}
        if self._settings.is_signed:
            fields["time"] = f"{int(now):010d}"
            sent = dynamic_password(account, key, mobile, message.text, fields["time"])
        fields["password"] = sent
        shown = fields | {"password": MASK, "content": f"[{len(message.text)} characters]"}
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = HttpRequest("POST", self._settings.url, headers, urlencode(fields).encode())
        where = urlsplit(self._settings.url)
        lines = (
            f"POST {where.scheme}://{where.netloc}{where.path}",
            ", ".join(f"{name}={value}" for name, value in shown.items()),
        )
        return request, lines, Discretion((key, sent), message.text)

    def outcome(self, answer: HttpAnswer, now: float, discreet: Discretion) -> Outcome:
        """What an answer comes to."""
        read = Read.of(answer, now, discreet)
        if (by_status := read.by_status()) is not None:
            return by_status
        document = read.document if isinstance(read.document, dict) else {}
        code = _code(document.get("code"))
        if code is None:
            return read.unreadable
        words = [text_or(document.get("msg"), ["no reason was given"])]
        words += [_HINTS[code]] if code in _HINTS else []
        reply = Reply(code, (discreet(". ".join(words)),))
        if code == _TAKEN:
            smsid = text_or(document.get("smsid"))
            return read.accepted(reply, None if smsid == "0" else smsid)
        if code in _TOO_OFTEN:
            return read.later(Blame.RECIPIENT, reply)
        if code in _ACCOUNT:
            return read.refused(Blame.SERVER, reply, ends_use=True)
        return read.refused(Blame.RECIPIENT if code in _NUMBER else Blame.MESSAGE, reply)


def dynamic_password(account: str, key: str, mobile: str, content: str, time: str) -> str:
    """The password of one message: MD5, in hex, over all that it is made of."""
    text = f"{account}{key}{mobile}{content}{time}"
    return hashlib.md5(
        text.encode(), usedforsecurity=False
    ).hexdigest()  # the provider's own choice


def _code(value: object) -> int | None:
    """The code, written as a number or as text; None where there is none."""
    is_number = isinstance(value, str | int) and not isinstance(value, bool)
    return int(text) if is_number and _CODE.fullmatch(text := str(value).strip()) else None
