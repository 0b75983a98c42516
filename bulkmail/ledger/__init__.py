"""The ledger: one row a recipient, and every recipient's fate in it."""

from bulkmail.ledger.campaigns import CampaignRecord
from bulkmail.ledger.checked import Checks, PersonalCheck
from bulkmail.ledger.enrolment import Enrolment, NewRow
from bulkmail.ledger.ledger import Ledger, MemoryLedger, ScratchLedger
from bulkmail.ledger.limits import Permit
from bulkmail.ledger.lock import CampaignLock
from bulkmail.ledger.newcomers import Series
from bulkmail.ledger.orders import CampaignOrders, PutBack
from bulkmail.ledger.reading import Duplicate, ReasonCount, ReportRow
from bulkmail.ledger.run import CampaignRun
from bulkmail.ledger.series import OccurrenceRecord, SeriesBook
from bulkmail.ledger.suppression import Suppressed, SuppressionList

__all__ = [
    "CampaignLock",
    "CampaignOrders",
    "CampaignRecord",
    "CampaignRun",
    "Checks",
    "Duplicate",
    "Enrolment",
    "Ledger",
    "MemoryLedger",
    "NewRow",
    "OccurrenceRecord",
    "Permit",
    "PersonalCheck",
    "PutBack",
    "ReasonCount",
    "ReportRow",
    "ScratchLedger",
    "Series",
    "SeriesBook",
    "Suppressed",
    "SuppressionList",
]
