"""Whether a gateway is there: a look at its host, with nothing of the account and no text."""

from __future__ import annotations

from urllib.parse import urlsplit

from bulkmail.errors import BulkmailError
from bulkmail.gateway.exchange import Exchanges, HttpRequest, Silence
from bulkmail.settings import GatewaySettings


async def reach(settings: GatewaySettings) -> tuple[bool, str]:
    """Ask the gateway's host for its front page: whether it answers, and the sentence."""
    parts = urlsplit(settings.url)
    exchanges = Exchanges(settings)
    try:
        answer = await exchanges.ask(
            HttpRequest("HEAD", f"{parts.scheme}://{parts.netloc}/", {}), _nothing
        )
    except BulkmailError as error:
        return False, f"{settings.name}: {error}"
    finally:
        await exchanges.close()
    if isinstance(answer, Silence):
        return False, f"{settings.name}: {answer.reason}"
    tls = "TLS" if parts.scheme == "https" else "not encrypted"
    return True, f"{settings.name}: {parts.netloc}, {tls}, answers"


async def _nothing() -> None:
    """Nothing is at stake."""
