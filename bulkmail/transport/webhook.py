"""A summary posted to a web server: signed, tried a few times, bounded in time (extra `http`)."""

from __future__ import annotations

import hashlib
import hmac
import ssl
from typing import Any

from bulkmail.campaign.recipients.from_http import encrypted_address
from bulkmail.campaign.recipients.origin import Unusable
from bulkmail.clock import Clock
from bulkmail.message.extra import MissingExtra, extra
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

#: The header that holds the body's HMAC.
SIGNATURE = "X-Bulkmail-Signature"
#: Seconds to wait before the second, third … try.
DELAYS = (1.0, 2.0, 4.0)
#: Seconds for one try.
TIMEOUT = 10.0
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_REDIRECT = 300


class NotTold(Exception):
    """Nobody was told; the sentence says why, without the address's secrets."""


@value_class
class Webhook:
    """Where summaries go."""

    url: Secret
    #: None: requests are not signed.
    secret: Secret | None = None

    @property
    def host(self) -> str:
        """What may be shown of it. Raises `NotTold` where it is no address, or needs an extra."""
        return str(_address(self).host)


def signature(secret: Secret, body: bytes) -> str:
    """The value of the header, over the body as it is sent."""
    digest = hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


async def post(hook: Webhook, body: bytes, clock: Clock) -> None:
    """Post JSON until it is taken (2xx). Raises `NotTold` when it never was.

    What may pass is tried again: no connection, silence, 429 and 5xx. Redirects are not followed.
    """
    http = extra("httpx2", "`webhook`", "http")
    address = _address(hook)
    headers = {"Content-Type": "application/json", "User-Agent": "bulkmail"}
    if hook.secret is not None:
        headers[SIGNATURE] = signature(hook.secret, body)
    problem = ""
    async with http.AsyncClient(
        timeout=http.Timeout(TIMEOUT), verify=ssl.create_default_context(), headers=headers
    ) as client:
        for delay in (*DELAYS, None):
            try:
                # What it says beside the code is nobody's business, however long it is.
                async with client.stream("POST", address, content=body) as response:
                    code = response.status_code
            except (http.HTTPError, OSError) as error:
                # Its words may hold the address, and that a token.
                problem = f"no answer ({type(error).__name__})"
            else:
                problem = f"it answered {code}"
                if code < _REDIRECT:
                    return
                if not _may_pass(code):
                    break
            if delay is not None:
                await clock.sleep(delay)
    raise NotTold(f"{address.host}: {problem}")


def _may_pass(code: int) -> bool:
    return code == _TOO_MANY_REQUESTS or code >= _SERVER_ERROR


def _address(hook: Webhook) -> Any:
    try:
        return encrypted_address(extra("httpx2", "`webhook`", "http"), hook.url, "webhook")
    except (MissingExtra, Unusable) as error:
        raise NotTold(str(error)) from error
