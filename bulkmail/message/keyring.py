"""What a campaign's messages are signed with: DKIM keys, and the secret of unsubscribe tokens.

Looked up when messages are made. Who sends needs all of it; a check, a preview or a dry run takes
what is at hand and tells what is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bulkmail.address import parse_mailbox
from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.secret_reference import SecretReference
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

if TYPE_CHECKING:
    from bulkmail.message.dkim.key import DkimKey


def key_faults(campaign: Campaign, environ: Mapping[str, str]) -> tuple[Fault, ...]:
    """The keys that cannot be read, or are none; not those that the environment may hold later."""
    keyring = Keyring.at_hand(campaign, environ)
    return tuple(fault for fault in keyring.missing if fault not in keyring.unset)


def key_notices(campaign: Campaign, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What a person should know of the campaign's keys before sending, a sentence each."""
    keyring = Keyring.at_hand(campaign, environ)
    told = [f"{fault.key}: {fault.message}; sending needs it" for fault in keyring.unset]
    domains = [key.domain for key in campaign.model.dkim_keys]
    sender = _from_domain(campaign)
    is_aligned = any(f".{sender}".endswith(f".{domain}") for domain in domains)
    if domains and sender and not is_aligned:
        told.append(
            f"dkim: {domains[0]} signs what is from {sender}: DMARC counts only a signature "
            f"of {sender} or of a domain above it"
        )
    return tuple(told)


def _from_domain(campaign: Campaign) -> str:
    """The domain of From; nothing where only a row tells."""
    try:
        return parse_mailbox(campaign.model.from_).address.domain
    except ValueError:
        return ""


@value_class
class Keyring:
    """The keys of a campaign. Empty: messages are not signed, tokens lead nowhere."""

    dkim: tuple[DkimKey, ...] = ()
    unsubscribe: Secret | None = None
    #: What is asked for and not at hand.
    missing: tuple[Fault, ...] = ()
    #: Those of `missing` that an environment did not hold: that of who sends may.
    unset: tuple[Fault, ...] = ()

    @classmethod
    def whole(cls, campaign: Campaign, environ: Mapping[str, str]) -> Keyring:
        """All that the campaign asks for. Raises `ConfigurationError` with what is not there."""
        keyring = cls.at_hand(campaign, environ)
        if keyring.missing:
            raise ConfigurationError(*keyring.missing)
        return keyring

    @classmethod
    def at_hand(cls, campaign: Campaign, environ: Mapping[str, str]) -> Keyring:
        """What is there of it; nothing is raised, `missing` tells the rest."""
        faults: list[Fault] = []
        unset: list[Fault] = []

        def look_up(written: SecretReference, loc: Loc) -> Secret | None:
            try:
                return written.look_up((campaign.folder, campaign.root), environ)
            except ValueError as error:
                faults.append(campaign.fault(loc, str(error)))
                unset.extend(faults[-1:] if written.file is None else ())
                return None

        model = campaign.model
        is_list = isinstance(model.dkim, tuple)
        keys = []
        for number, written in enumerate(model.dkim_keys):
            loc: Loc = ("dkim", number, "key") if is_list else ("dkim", "key")
            pem = look_up(written.key, loc)
            if pem is None:
                continue
            # cryptography is a tenth of a second: only for who signs.
            from bulkmail.message.dkim.key import DkimKey  # noqa: PLC0415

            try:
                keys.append(DkimKey.parse(written.domain, written.selector, pem))
            except ValueError as error:
                faults.append(campaign.fault(loc, str(error)))
        unsubscribe = None
        if model.unsubscribe is not None and model.unsubscribe.secret is not None:
            unsubscribe = look_up(model.unsubscribe.secret, ("unsubscribe", "secret"))
        return cls(tuple(keys), unsubscribe, tuple(faults), tuple(unset))

    def notices(self) -> tuple[str, ...]:
        """What a dry run's or a preview's messages lack, a sentence each."""
        told = []
        for fault in self.missing:
            what = (
                "Messages are shown without this DKIM signature"
                if (fault.key or "").startswith("dkim")
                else "The unsubscribe links shown lead nowhere"
            )
            told.append(f"{what}: {fault.message} ({fault.key})")
        return tuple(told)
