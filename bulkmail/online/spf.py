"""SPF (RFC 7208): whether the domain of the return path says who may send for it, and well.

Which address a provider sends from is not known before it has; so the record is judged, not a
connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bulkmail.online.dns import Dns
from bulkmail.online.finding import Finding, advice

_VERSION = "v=spf1"
#: RFC 7208, 4.6.4: terms that ask the DNS, in the record and all it includes.
MAX_LOOKUPS = 10
_ASKING = ("include", "a", "mx", "ptr", "exists")
_MECHANISMS = frozenset({*_ASKING, "ip4", "ip6", "all"})


@dataclass
class _Reading:
    lookups: int = 0
    included: set[str] = field(default_factory=set)
    mistakes: list[str] = field(default_factory=list)


async def spf(dns: Dns, domain: str) -> Finding:
    """Judge the record of `domain`. Raises `Unanswered`."""
    records = await _records(dns, domain)
    if not records:
        return advice(
            is_good=False,
            sentence=f"SPF: {domain} has no record, so that nobody is known to send for it: "
            f"publish a TXT record at {domain} such as `v=spf1 include:… -all`; your provider "
            "names what to include",
        )
    if len(records) > 1:
        return advice(
            is_good=False,
            sentence=f"SPF: {domain} has {len(records)} records, which counts as an error (RFC "
            "7208, 4.5): make one of them",
        )
    reading = _Reading()
    await _read(dns, domain, records[0], reading)
    if reading.mistakes:
        return advice(
            is_good=False, sentence=f"SPF of {domain}: {'; '.join(dict.fromkeys(reading.mistakes))}"
        )
    if reading.lookups > MAX_LOOKUPS:
        return advice(
            is_good=False,
            sentence=f"SPF of {domain}: {reading.lookups} look-ups, {MAX_LOOKUPS} are allowed (RFC "
            "7208, 4.6.4): receivers take it for an error; include less",
        )
    return advice(is_good=True, sentence=f"SPF of {domain}: {records[0]}")


async def _records(dns: Dns, domain: str) -> list[str]:
    texts = await dns.txt(domain)
    return [text for text in texts if text.lower().split(" ", 1)[0] == _VERSION]


async def _read(dns: Dns, domain: str, record: str, reading: _Reading) -> None:
    terms = record.split()[1:]
    for term in terms:
        name, value = _parted(term)
        if name == "redirect":
            if not any(_parted(other)[0] == "all" for other in terms):
                await _include(dns, value, term, reading)
        elif "=" in term.split(":")[0]:
            continue  # another modifier: unknown ones are left alone (RFC 7208, 6)
        elif name not in _MECHANISMS:
            reading.mistakes.append(f"`{term}` in the record of {domain} is no mechanism")
        elif name == "include":
            await _include(dns, value, term, reading)
        elif name == "all" and term.startswith(("+", "a")) and domain not in reading.included:
            reading.mistakes.append(f"`{term}` lets everybody send: write `-all` or `~all`")
        elif name in _ASKING:
            reading.lookups += 1


async def _include(dns: Dns, domain: str, term: str, reading: _Reading) -> None:
    reading.lookups += 1
    if "%" in domain or reading.lookups > MAX_LOOKUPS:
        return  # a macro hangs on the connection; a loop and too much are told by the number
    reading.included.add(domain)
    records = await _records(dns, domain)
    if len(records) != 1:
        have = "no SPF record" if not records else f"{len(records)} SPF records"
        reading.mistakes.append(f"`{term}`: {domain} has {have}, which makes the whole an error")
        return
    await _read(dns, domain, records[0], reading)


def _parted(term: str) -> tuple[str, str]:
    """Mechanism or modifier, in lower case and without its qualifier, and its value."""
    bare = term.lstrip("+-~?").lower()
    for separator in ":=/":
        name, found, value = bare.partition(separator)
        if found and name.isalnum():
            return name, value
    return bare, ""
