"""`preview`: what one recipient gets, byte for byte, without a server."""

from __future__ import annotations

import os
from collections.abc import Mapping

from bulkmail.app.assembly import Surroundings
from bulkmail.app.channel import composer_of
from bulkmail.app.check.texting import estimate
from bulkmail.app.enrolling import Pass, enrolled
from bulkmail.app.listing import opened_list
from bulkmail.app.rehearsing import chosen
from bulkmail.app.scratch import scratch_ledger
from bulkmail.app.suppressing import Suppressions, suppressed_by
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.sms import chosen_gateway
from bulkmail.clock import moment
from bulkmail.fate import Delivery
from bulkmail.message.keyring import Keyring
from bulkmail.message.sms.text_message import TextMessage
from bulkmail.report.silence import Silence
from bulkmail.smtp.envelope import Envelope
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Preview:
    """One recipient's message."""

    delivery: Delivery
    envelope: Envelope
    #: The content as a server would get it, before dot stuffing.
    content: bytes
    #: What it lacks of what would be sent, for want of a key; why it would not be sent.
    notices: tuple[str, ...] = ()
    #: Where it is a text message.
    text: TextMessage | None = None
    #: What that costs; "" where nobody knows.
    cost: str = ""


async def preview(
    campaign: Campaign,
    *,
    row: int | None = None,
    email: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Preview:
    """Compose one row's message: by number, by address, or the first.

    Copies that a file of `suppress` names are left out, as they are when it is sent; that the row
    itself would get nothing is told in `notices`. The ledger's own list is not looked at.

    Signed with the keys that are at hand; `notices` tell which are not.

    Raises `ConfigurationError` where the row, the list or a template is at fault; other rows'
    faults do not matter here.
    """
    environ = os.environ if environ is None else environ
    surroundings = Surroundings.ordinary(Silence())
    keyring = Keyring.at_hand(campaign, environ)
    listed = dict(suppressed_by(campaign))
    suppressions = Suppressions()
    suppressions.add(listed)
    composer = composer_of(campaign, is_suppressed=suppressions, keyring=keyring)
    async with scratch_ledger(surroundings.clock) as ledger:
        reading = Pass(campaign, None, ledger=ledger, surroundings=surroundings)
        async with opened_list(campaign, surroundings, environ) as recipients:
            await reading.run(recipients, skip_invalid=True)
        campaign_id = (await enrolled(campaign, ledger)).id
        delivery = await chosen(campaign, ledger, campaign_id, row=row, email=email)
    mail = await composer.compose(delivery, moment(surroundings.clock.time()))
    why_not = listed.get(delivery.address.lower())
    text = mail if isinstance(mail, TextMessage) else None
    return Preview(
        text=text,
        cost=_cost(campaign, text),
        delivery=delivery,
        envelope=mail.envelope,
        content=b"".join(mail.chunks),
        notices=(
            *keyring.notices(),
            *([f"{delivery.address} would get nothing: {why_not}"] if why_not else ()),
        ),
    )


def _cost(campaign: Campaign, text: TextMessage | None) -> str:
    if campaign.sms is None or text is None:
        return ""
    gateway, _ = chosen_gateway(campaign.sms, campaign.project)
    return estimate(text.text_size.segments, gateway)
