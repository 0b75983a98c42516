"""What the sink is told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from bulkmail.errors import ConfigurationError, Fault
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

#: ``starttls``: offered, and asked for before a login. ``tls``: from the first byte on.
SinkTls: TypeAlias = Literal["starttls", "tls", "none"]

#: 64 MiB: more than any public provider takes (Gmail 25 MB, QQ 50 MB), so the sink is never
#: what stands in a letter's way.
DEFAULT_MAX_SIZE = 64 * 1024 * 1024


@value_class(kw_only=True)
class SinkSettings:
    """One sink, complete. Raises `ConfigurationError` where a login is half given."""

    #: Where the letters are kept; made where it is missing.
    directory: Path
    host: str = "127.0.0.1"
    #: 0 is any free one.
    port: int = 0
    tls: SinkTls = "starttls"
    #: Where the certificate to trust is written; None is ``ca.pem`` in the directory.
    ca_path: Path | None = None
    #: Both or neither: without them mail is taken from anybody.
    username: str | None = None
    password: Secret | None = None
    #: Octets of one message.
    max_size: int = DEFAULT_MAX_SIZE

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            missing = "--username" if self.username is None else "--password-env"
            raise ConfigurationError(
                Fault(key=missing, message="a login is a user name and a password; one is missing")
            )
