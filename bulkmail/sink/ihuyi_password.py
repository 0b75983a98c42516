"""The passwords ihuyi takes: the key itself, or the MD5 of one message with it in hex."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

#: Seconds either way by which a signed request's time may be off.
SKEW = 300.0


def fits(fields: Mapping[str, str], key: str, now: float) -> bool:
    """Whether a request's password is one, at `now` (epoch seconds)."""
    password = fields["password"].encode()
    time = fields.get("time", "")
    if not time:
        return hmac.compare_digest(password, key.encode())
    if not (time.isascii() and time.isdigit() and len(time) == 10):  # noqa: PLR2004  # ten digits
        return False
    if abs(int(time) - now) > SKEW:
        return False
    signed = fields["account"] + key + fields["mobile"] + fields["content"] + time
    expected = hashlib.md5(signed.encode(), usedforsecurity=False).hexdigest()
    # With `time` beside it the key itself is taken as well.
    return any(hmac.compare_digest(password, one.encode()) for one in (expected, key))
