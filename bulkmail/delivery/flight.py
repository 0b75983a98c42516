"""A delivery on its way: what a worker holds of it from its message on."""

from __future__ import annotations

import asyncio

from bulkmail.delivery.verdict import Try
from bulkmail.fate import Delivery, Digests
from bulkmail.message.mail_object import MailObject
from bulkmail.value_class import record_class

#: Octets of a message from which on it is more than one write.
LENGTHY = 262_144


@record_class(eq=False)
class Flight:
    """A delivery in a worker's hands, with its message."""

    tried: Try
    mail: MailObject
    #: Of that, for the mark.
    digests: Digests
    #: The lane's round of health in which it began.
    began_in: int = 0
    #: Whether it was refused for all as it was for too many at once.
    is_too_wide: bool = False
    #: The `sending` mark, once it was asked for.
    mark: asyncio.Future[bool] | None = None
    #: Whether its end of data may have gone out, by what was handed over.
    may_be_out: bool = False
    #: Whether its envelope went out behind another message.
    is_follower: bool = False

    @property
    def takes_time(self) -> bool:
        """Whether its content is long on its way: its mark is of use at the end of that."""
        return self.mail.size > LENGTHY

    @property
    def delivery(self) -> Delivery:
        """Whose it is."""
        return self.tried.delivery

    def board(self, session: object) -> None:
        """Note how the session is protected that it goes out on; not every kind says so."""
        self.tried.tls = getattr(session, "tls_version", None)
