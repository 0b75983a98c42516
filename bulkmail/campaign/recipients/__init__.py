"""Recipients: rows out of files, read as a stream, each with what is wrong with it."""

from bulkmail.campaign.recipients.fetch import Fetched, Instants, fetched
from bulkmail.campaign.recipients.recipient_list import RecipientList, open_recipients
from bulkmail.campaign.recipients.row import Row

__all__ = ["Fetched", "Instants", "RecipientList", "Row", "fetched", "open_recipients"]
