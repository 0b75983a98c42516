"""`unsubscribe:` in a message: List-Unsubscribe (RFC 2369), -Post (RFC 8058), and the link."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bulkmail.campaign.models.unsubscribe import TOKEN, UnsubscribeModel
from bulkmail.message.unsubscribe_token import unsubscribe_token
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

_ONE_CLICK = b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


@value_class
class WayOut:
    """How one recipient leaves."""

    #: The header fields, each with its CRLF.
    header: bytes
    #: `unsubscribe_url` in templates: the https link, else the mailto one.
    variables: Mapping[str, str]


_NONE = WayOut(b"", MappingProxyType({}))


class Unsubscribe:
    """The campaign's `unsubscribe:`, ready for every recipient."""

    def __init__(self, model: UnsubscribeModel | None, secret: Secret | None) -> None:
        """None: there is no way out. Without the secret tokens are for show: they lead nowhere."""
        model = model or UnsubscribeModel.without_keys()
        mailto = f"mailto:{model.mailto}" if model.mailto else None
        self._urls = [url for url in (model.url, mailto) if url]
        self._is_one_click = model.url is not None
        self._has_token = model.has_token
        self._secret = secret

    def way_out(self, message_id: str) -> WayOut:
        """That of the recipient whose message this is."""
        if not self._urls:
            return _NONE
        token = unsubscribe_token(message_id, self._secret) if self._has_token else ""
        urls = [url.replace(TOKEN, token) for url in self._urls]
        # Readers that look for the link look behind the colon: no fold before the first one.
        listed = ",\r\n ".join(f"<{url}>" for url in urls)
        header = f"List-Unsubscribe: {listed}\r\n".encode("ascii")
        if self._is_one_click:
            header += _ONE_CLICK
        return WayOut(header, {"unsubscribe_url": urls[0]})
