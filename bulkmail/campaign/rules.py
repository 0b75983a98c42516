"""Rules that need more than one key: what has to stand together, and what cannot.

They look at what was written, not at the validated models, so that they are reported in one go with
everything else that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bulkmail.address import control_character
from bulkmail.campaign.document import Loc
from bulkmail.campaign.models.recipients import broken_recipients_rules
from bulkmail.campaign.models.schedule import broken_schedule_rules
from bulkmail.campaign.models.unsubscribe import broken_unsubscribe_rules
from bulkmail.campaign.nearest import did_you_mean
from bulkmail.campaign.occurrence_name import is_occurrence
from bulkmail.campaign.providers import PROVIDERS

#: A rule that was broken: where, and the sentence.
Broken = tuple[Loc, str]

_MAX_NAME_BYTES = 200


def broken_campaign_rules(
    written: Mapping[str, Any], shared: Mapping[str, Any]
) -> Iterator[Broken]:
    """What is wrong in a campaign, its defaults put in. `shared` are bulkmail.yaml's servers."""
    yield from _body_rules(written)
    if isinstance(name := written.get("name"), str) and (sentence := unsafe_name(name)):
        yield ("name",), sentence
    yield from _attachment_rules(written.get("attachments"))
    yield from broken_list_rules(written)
    recipients = written.get("recipients")
    if isinstance(recipients, dict) and recipients.get("mobile") is not None:
        yield ("recipients", "mobile"), "is for text messages: it needs `channel: sms`"
    yield from broken_unsubscribe_rules(written)
    yield from _servers_rules(written.get("servers"), shared)


def broken_list_rules(written: Mapping[str, Any]) -> Iterator[Broken]:
    """What is wrong with who gets a campaign and when, whatever its channel."""
    yield from broken_recipients_rules(written.get("recipients"))
    yield from broken_schedule_rules(written.get("schedule"))


def broken_project_rules(written: Mapping[str, Any]) -> Iterator[Broken]:
    """What is wrong in bulkmail.yaml."""
    servers = written.get("servers")
    if isinstance(servers, dict):
        for name, server in servers.items():
            yield from _server_rules(("servers", name), server)
    ledger = written.get("ledger")
    path = ledger.get("path") if isinstance(ledger, dict) else None
    if isinstance(path, str) and "://" in path:
        yield ("ledger", "path"), "a database as the ledger comes with a later version: give a file"


def unsafe_name(name: str) -> str | None:
    """Why a campaign cannot be called so: its name is a folder's and the ledger's; None: it can."""
    sentence = None
    if not name.strip():
        sentence = "is empty"
    elif unsafe := control_character(name):
        sentence = f"{unsafe}, in a name that becomes a folder's"
    elif "{{" in name or "${" in name:
        sentence = f"`{name}` is no template: the name is the same in every run"
    elif name in {".", ".."} or "/" in name or "\\" in name:
        sentence = f"`{name}` cannot be a folder's name, which it becomes in a dry run"
    elif name != name.strip():
        sentence = "has space around it"
    elif is_occurrence(name):
        sentence = f"`{name}` looks like an occurrence of a schedule (NAME@20261201T010000Z)"
    elif len(name.encode()) > _MAX_NAME_BYTES:
        sentence = f"is longer than {_MAX_NAME_BYTES} bytes"
    return sentence


def _body_rules(written: Mapping[str, Any]) -> Iterator[Broken]:
    given = {key for key in ("text", "html", "body", "css") if written.get(key) is not None}
    if not given & {"text", "html", "body"}:
        yield (), "`text` or `html` is needed, or `body`: a template for the message"
    if {"html", "body"} <= given:
        yield ("body",), "stands beside `html`, and both make the HTML part: it is one or the other"
    if "css" in given and not given & {"html", "body"}:
        yield ("css",), "is for `html` or `body`, and there is neither"


def _attachment_rules(attachments: Any) -> Iterator[Broken]:
    entries = attachments if isinstance(attachments, list) else []
    invitations = 0
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            continue
        loc = "attachments", number
        given = [key for key in ("path", "pdf", "ics") if entry.get(key) is not None]
        if not given:
            yield loc, "needs a `path`, or `pdf` or `ics` to have it made"
        if len(given) > 1:
            yield (*loc, given[1]), f"stands beside `{given[0]}`: it is one or the other"
        for key in ("type", "must_contain", "unique"):
            if entry.get(key) is not None and given and "path" not in given:
                yield (*loc, key), f"is for a `path`, and this is `{given[0]}`"
        ics = entry.get("ics")
        invitations += ics is not None
        if ics is not None and invitations > 1:
            yield (*loc, "ics"), "is a second invitation: a message can have one"
        if isinstance(ics, dict) and ics.get("end") is not None and ics.get("duration") is not None:
            yield (*loc, "ics", "duration"), "stands beside `end`: it is one or the other"


def _servers_rules(servers: Any, shared: Mapping[str, Any]) -> Iterator[Broken]:
    entries: list[tuple[Loc, Any]] = []
    if isinstance(servers, str):
        entries = [(("servers",), servers)]
    elif isinstance(servers, list):
        entries = [(("servers", index), entry) for index, entry in enumerate(servers)]
    elif isinstance(servers, dict):
        entries = [(("servers", name), entry) for name, entry in servers.items()]
    names: set[str] = set()
    for loc, entry in entries:
        if isinstance(servers, str | list):
            yield from _reference_rules(loc, entry, shared)
            name = entry.get("server") if isinstance(entry, dict) else entry
            if isinstance(name, str) and name in names:
                yield loc, f"`{_told(name)}` is listed twice"
            elif isinstance(name, str):
                names.add(name)
        if isinstance(entry, dict) and (isinstance(servers, dict) or "server" not in entry):
            yield from _server_rules(loc, entry)
    yield from _weight_rules([entry for _, entry in entries], shared)


def _reference_rules(loc: Loc, entry: Any, shared: Mapping[str, Any]) -> Iterator[Broken]:
    name = entry.get("server") if isinstance(entry, dict) else entry
    if isinstance(name, str) and name not in shared:
        known = did_you_mean(name, shared) if shared else "bulkmail.yaml has no servers."
        known = "A wide comma parts no names: write `,`." if "\uff0c" in name else known
        yield loc, f"there is no server `{_told(name)}` in bulkmail.yaml. {known}"


def _told(name: str) -> str:
    """A server's name, to be repeated: who writes an address may have a password in it."""
    return f"…@{name.rpartition('@')[2]}" if "@" in name else name


def _weight_rules(entries: list[Any], shared: Mapping[str, Any]) -> Iterator[Broken]:
    """Shares by weight need one of every server."""
    weighed = [_has_weight(entry, shared) for entry in entries]
    if any(weighed) and not all(weighed):
        yield ("servers",), "some have a `weight` and some have none: give one to all, or to none"


def _has_weight(entry: Any, shared: Mapping[str, Any]) -> bool:
    if isinstance(entry, str):
        entry = {"server": entry}
    if not isinstance(entry, dict):
        return False
    name = entry.get("server")
    below = shared.get(name) if isinstance(name, str) else None
    return any(isinstance(at, dict) and at.get("weight") is not None for at in (entry, below))


def _server_rules(loc: Loc, server: Any) -> Iterator[Broken]:
    if not isinstance(server, dict):
        return
    provider = server.get("provider")
    if server.get("host") is None and provider is None:
        yield loc, "needs a `host`, or a `provider`"
    for one, other in (("username", "password"), ("password", "username")):
        if server.get(one) is not None and server.get(other) is None:
            yield (*loc, one), f"stands without `{other}`: a login needs both"
    yield from _region_rules(loc, server)


def _region_rules(loc: Loc, server: Mapping[str, Any]) -> Iterator[Broken]:
    name, region = server.get("provider"), server.get("region")
    if name is None and region is not None:
        yield (*loc, "region"), "is for a `provider` that has regions"
    provider = PROVIDERS.get(name) if isinstance(name, str) else None
    if provider and isinstance(region, str | None) and (server.get("host") is None or region):
        try:
            provider.host_in(region)
        except ValueError as error:
            yield (*loc, "provider" if region is None else "region"), str(error)
