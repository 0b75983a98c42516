"""Recipients: rows out of files, read as a stream, each with what is wrong with it.

What has to be fetched first is in `fetch`, imported for those lists alone.
"""

from bulkmail.campaign.recipients.recipient_list import RecipientList, open_recipients
from bulkmail.campaign.recipients.row import Row

__all__ = ["RecipientList", "Row", "open_recipients"]
