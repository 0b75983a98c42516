"""A local catch-all SMTP server that keeps .eml files (`bulkmail sink`), on aiosmtpd."""

from bulkmail.sink.kept import Kept
from bulkmail.sink.settings import SinkSettings, SinkTls
from bulkmail.sink.sink import Sink

__all__ = ["Kept", "Sink", "SinkSettings", "SinkTls"]
