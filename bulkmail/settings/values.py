"""What each layer is told: one frozen value a layer. Times in seconds."""

from __future__ import annotations

import enum
from dataclasses import field
from pathlib import Path

from bulkmail.campaign.units import Rate
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

_TLS_PORT, _SUBMISSION_PORT, _SMTP_PORT = 465, 587, 25


class Security(enum.StrEnum):
    """How a connection is protected."""

    #: TLS from the first byte.
    TLS = "tls"
    #: STARTTLS, and nothing without it.
    STARTTLS = "starttls"
    #: STARTTLS where offered; without it no credentials are sent.
    OPPORTUNISTIC = "opportunistic"
    #: Plain, credentials included: only where it is written.
    NONE = "none"


@value_class(kw_only=True)
class PasswordSource:
    """Where a password (or access token) comes from; exactly one is given."""

    #: Resolved already: from the environment, or by a caller of the library.
    secret: Secret | None = None
    #: A file whose first line it is.
    file: Path | None = None
    #: A command whose output it is; run again for a fresh one before a login counts as refused.
    command: tuple[str, ...] = ()
    #: The folder the command runs in; None is the current one.
    folder: Path | None = None


@value_class(kw_only=True)
class ServerSettings:
    """One server, complete: no defaults left to guess. Times in seconds."""

    #: Its name in bulkmail.yaml, or host:port where it is written inline: limits hang on it.
    name: str
    host: str
    port: int
    security: Security
    ca_file: Path | None = None
    verify: bool = True
    username: str | None = None
    password: PasswordSource | None = field(default=None, repr=False)
    #: ``auto plain login cram-md5 scram-sha-256 xoauth2``.
    auth: str = "auto"
    rates: tuple[Rate, ...] = ()
    connections: int = 4
    #: 0 is no limit.
    messages_per_connection: int = 100
    connection_lifetime: float = 300.0
    #: Messages of a connection that may be on their way at once, where BDAT is offered.
    window: int = 8
    #: For each stage but the end of data; caps the RFC's defaults.
    timeout: float = 30.0
    data_timeout: float = 600.0
    #: The EHLO name; None is the machine's FQDN or address literal.
    local_hostname: str | None = None
    #: Share of the deliveries; None where servers are in order of preference.
    weight: int | None = None
    #: What this provider wants as a password; shown when the login is refused.
    password_hint: str = ""


@value_class(kw_only=True)
class RetrySettings:
    """When a deferred delivery is tried again. Times in seconds."""

    #: The delays after the first, second ... try; the last one stays.
    backoff: tuple[float, ...] = (60.0,)
    #: Whether `backoff` is one value that doubles with each try, up to `max_backoff`.
    backoff_doubles: bool = True
    max_backoff: float = 3600.0
    give_up_after: float = 172800.0
    #: Tries in all; None is no limit.
    attempts: int | None = None
    #: Whether a first doubt is sent again, with the same Message-ID (else held at once).
    resend_on_doubt: bool = True


@value_class(kw_only=True)
class StopSettings:
    """When a server that refuses messages for good is out of use for the rest of the run."""

    #: So many messages in a row; None is no limit.
    in_a_row: int | None = 25
    #: Such a share of the last 100, from 0 to 1; None is no limit.
    share: float | None = 0.5


@value_class(kw_only=True)
class DomainLimit:
    """What the mailboxes of some domains may get, over all servers."""

    #: Unlike any other's: the ledger counts under it.
    name: str
    #: In lower case, as A-labels.
    domains: frozenset[str]
    rates: tuple[Rate, ...] = ()
    #: Messages on their way to them at once; None is no limit.
    connections: int | None = None


def plain_server(port: int | None, security: Security | None) -> tuple[int, Security]:
    """The port and security of a server that is only named: the contract's defaults."""
    port = port or default_port(security)
    return port, security or default_security(port)


def default_port(security: Security | None) -> int:
    """465 where TLS comes first, else 587."""
    return _TLS_PORT if security is Security.TLS else _SUBMISSION_PORT


def default_security(port: int) -> Security:
    """TLS from the first byte on 465, opportunistic on 25, else STARTTLS."""
    known = {_TLS_PORT: Security.TLS, _SMTP_PORT: Security.OPPORTUNISTIC}
    return known.get(port, Security.STARTTLS)
