"""The one place that knows which channel a campaign goes by: mail, or text messages.

Everything else of the road is the same for both: what makes a message, what it is sent by, what a
check has to say of it. A gateway and its client are imported when a campaign needs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from bulkmail.address import parse_address
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.phone import parse_number
from bulkmail.clock import Clock
from bulkmail.delivery.ports import Transport
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Delivery, FileNote
from bulkmail.message.addressees import IsSuppressed
from bulkmail.message.composer import Composer
from bulkmail.message.keyring import Keyring
from bulkmail.message.mail_object import MailObject
from bulkmail.settings import (
    GatewaySettings,
    Security,
    ServerSettings,
    Way,
    gateway_as_written,
    gateway_settings,
    server_settings,
    servers_as_written,
)
from bulkmail.transport.password import Password
from bulkmail.transport.transcript import Transcript


class AnyComposer(Protocol):
    """What makes a campaign's messages, by whichever channel."""

    async def compose(
        self, delivery: Delivery, instant: datetime, *, only_to: str | None = None
    ) -> MailObject:
        """The message for one row at one (aware) instant. Raises `RowFaults`, `RowSkipped`."""
        ...

    async def draft(
        self, delivery: Delivery, instant: datetime, *, only_to: str | None = None
    ) -> MailObject:
        """The same without signatures: enough to see whether a row can be sent."""
        ...

    def fingerprint(self) -> str:
        """A digest of all that goes into every message, but for the campaign's name."""
        ...

    def parts(self) -> dict[str, str]:
        """What messages are made of, by name, to digests."""
        ...

    @property
    def has_own_files(self) -> bool:
        """Whether rows have attachments of their own."""
        ...

    def note_owner(self, note: FileNote, key: str, row: int, address: str) -> bool:
        """Somebody has, or had, this file; whether they may: it is to be nobody else's."""
        ...

    @property
    def may_skip(self) -> bool:
        """Whether there is a condition by which rows get nothing."""
        ...

    def skips(self, delivery: Delivery, instant: datetime) -> str | None:
        """Why the row gets nothing by it; None when it may get a message."""
        ...


def composer_of(
    campaign: Campaign,
    *,
    is_suppressed: IsSuppressed | None = None,
    keyring: Keyring | None = None,
) -> AnyComposer:
    """What makes the campaign's messages. Raises `ConfigurationError`."""
    if campaign.sms is not None:
        from bulkmail.message.sms.composer import TextComposer  # noqa: PLC0415  # for few

        return TextComposer(campaign, campaign.sms)
    if is_suppressed is None:
        return Composer(campaign, keyring=keyring)
    return Composer(campaign, is_suppressed=is_suppressed, keyring=keyring)


def ways_of(
    campaign: Campaign, environ: Mapping[str, str], *, has_login: bool = True
) -> tuple[Way, ...]:
    """The settings of what the campaign is sent by: its servers, or its gateway.

    Where `has_login` is not, they are no good to send by, and need no password.

    Raises `ConfigurationError` with all that is wrong with them, and where a package is missing.
    """
    if campaign.sms is None:
        return server_settings(campaign, environ, has_login=has_login)
    if has_login:
        _insist_on_client()
    return (gateway_settings(campaign, environ, has_login=has_login),)


def ways_as_written(campaign: Campaign) -> tuple[Fault, ...]:
    """What is wrong with them as far as it is seen without the environment."""
    return servers_as_written(campaign) if campaign.sms is None else gateway_as_written(campaign)


def gateway(settings: GatewaySettings, clock: Clock, transcript: Transcript | None) -> Transport:
    """The way to a gateway. Nothing is connected yet."""
    from bulkmail.gateway import GatewayTransport  # noqa: PLC0415  # an extra, and 0.2 s

    scribe: Callable[[], Callable[[str], None]] | None = None
    if transcript is not None:
        begin = transcript.begin
        scribe = lambda: begin().line  # noqa: E731  # one for each session
    try:
        return GatewayTransport(settings, clock=clock, key=_key(settings), scribe=scribe)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            Fault(message=f"{settings.name}: its `ca_file` cannot be used: {error}")
        ) from error


async def reached(settings: GatewaySettings) -> tuple[bool, str]:
    """Whether a gateway answers at all, and the sentence; nothing of the account is sent."""
    from bulkmail.gateway import reach  # noqa: PLC0415  # an extra

    return await reach(settings)


def _key(settings: GatewaySettings) -> Password | None:
    """The account's key is read as a server's password is."""
    if settings.password is None:
        return None
    host, port = settings.origin
    return Password(
        ServerSettings(
            name=settings.name,
            host=host,
            port=port,
            security=Security.TLS,
            password=settings.password,
            timeout=settings.timeout,
        )
    )


def _insist_on_client() -> None:
    try:
        import httpx2  # noqa: F401, PLC0415  # an extra
    except ImportError as error:
        raise ConfigurationError(
            Fault(message="a gateway for text messages needs an extra: pip install 'bulkmail[sms]'")
        ) from error


def address_of(campaign: Campaign, text: str) -> str:
    """An address a person typed, as the campaign's list has it. Raises `ValueError`."""
    if campaign.sms is not None:
        return parse_number(text, campaign.sms.default_region)
    return parse_address(text).wire


def as_listed(campaign: Campaign, text: str | None) -> str | None:
    """What a person typed to find a row by: a number made E.164, an address as it is."""
    if campaign.sms is None or text is None:
        return text
    try:
        return address_of(campaign, text)
    except ValueError:
        return text


def suffix_of(campaign: Campaign) -> str:
    """What a dry run's files are called by."""
    return ".eml" if campaign.sms is None else ".txt"


def noun_of(campaign: Campaign) -> str:
    """What its rows are addressed by, with its article."""
    return "an address" if campaign.sms is None else "a telephone number"
