"""The DKIM record (RFC 6376, 3.6.1): whether the world has the public half of our key."""

from __future__ import annotations

from bulkmail.message.dkim.key import DkimKey, published_key
from bulkmail.online.dns import Dns
from bulkmail.online.finding import Finding, advice


async def dkim_record(dns: Dns, key: DkimKey) -> Finding:
    """Compare the record with the key.

    Another key there breaks every signature: a fault. No record leaves messages as good as
    unsigned. Raises `Unanswered`.
    """
    name = key.record_name
    records = [text for text in await dns.txt(name) if "p=" in text]
    if not records:
        return advice(
            is_good=False,
            sentence=f"DKIM: {name} has no record, so that no signature of ours can be verified: "
            f"publish the TXT record `{key.record}` there",
        )
    if len(records) > 1:
        return Finding(
            is_good=False,
            sentence=f"DKIM: {name} has {len(records)} records, one is allowed: remove the others",
        )
    try:
        is_ours = published_key(records[0]) == published_key(key.record)
    except ValueError as error:
        return Finding(is_good=False, sentence=f"DKIM: the record at {name} is of no use: {error}")
    if not is_ours:
        return Finding(
            is_good=False,
            sentence=f"DKIM: {name} has another key than ours, so that every signature is broken: "
            f"publish `{key.record}`, under a new selector while the old key is in use",
        )
    return Finding(is_good=True, sentence=f"DKIM: {name} has our key ({key.algorithm})")
