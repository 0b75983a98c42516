"""MX (RFC 5321, 5.1): whether replies and bounces come back to somebody."""

from __future__ import annotations

from bulkmail.online.dns import Dns
from bulkmail.online.finding import Finding, advice


async def mx(dns: Dns, domain: str) -> Finding:
    """Judge who takes mail for `domain`. Raises `Unanswered`."""
    exchangers = await dns.mx(domain)
    if exchangers == [""]:
        return advice(
            is_good=False,
            sentence=f"MX: {domain} takes no mail (a null MX, RFC 7505): many receivers refuse "
            "a sender that cannot be answered",
        )
    if exchangers:
        return advice(is_good=True, sentence=f"MX of {domain}: {', '.join(exchangers)}")
    if await dns.addresses(domain):
        return advice(is_good=True, sentence=f"MX of {domain}: none; its own address takes mail")
    return advice(
        is_good=False,
        sentence=f"MX: nobody takes mail for {domain}, so that replies and bounces are lost: "
        "publish an MX record",
    )
