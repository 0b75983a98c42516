"""A local catch-all SMTP server that keeps .eml files (`bulkmail sink`), on aiosmtpd."""

from bulkmail.sink.kept import Kept
from bulkmail.sink.settings import SinkSettings, SinkTls
from bulkmail.sink.sink import Sink
from bulkmail.sink.texts import KeptText, TextSink, TextSinkSettings

__all__ = [
    "Kept",
    "KeptText",
    "Sink",
    "SinkSettings",
    "SinkTls",
    "TextSink",
    "TextSinkSettings",
]
