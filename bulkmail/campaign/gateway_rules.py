"""Rules for text messages and their gateways that need more than one key."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bulkmail.campaign.document import Loc
from bulkmail.campaign.nearest import did_you_mean
from bulkmail.campaign.rules import Broken, broken_list_rules, unsafe_name
from bulkmail.campaign.values import ENVIRONMENT_REFERENCE

#: Keys of a gateway that only one provider has.
_OF_IHUYI = ("sign", "endpoint")
_OF_HTTP = (
    *("url", "method", "query", "headers", "form", "json", "auth", "success", "retry_when"),
    *("message_id", "error", "idempotency_header"),
)


def broken_sms_rules(written: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[Broken]:
    """What is wrong in a campaign of text messages. `shared` are bulkmail.yaml's gateways."""
    given = [key for key in ("text", "content") if written.get(key) is not None]
    if not given:
        yield (), "`text` is needed, a template, or `content`: the message right here"
    if len(given) > 1:
        yield ("content",), "stands beside `text`, and both are the message: it is one or the other"
    content = written.get("content")
    if isinstance(content, str) and not content.strip():
        yield ("content",), "is empty: there is nothing to send"
    if isinstance(name := written.get("name"), str) and (sentence := unsafe_name(name)):
        yield ("name",), sentence
    yield from broken_list_rules(written)
    recipients = written.get("recipients")
    if isinstance(recipients, dict) and recipients.get("email") is not None:
        yield ("recipients", "email"), "is for mail: `mobile` names the column of the number"
    yield from _chosen_rules(written.get("gateway"), shared)


def broken_gateway_rules(written: Mapping[str, Any]) -> Iterator[Broken]:
    """What is wrong with the gateways in bulkmail.yaml."""
    gateways = written.get("gateways")
    if isinstance(gateways, dict):
        for name, gateway in gateways.items():
            yield from _gateway_rules(("gateways", name), gateway)


def _chosen_rules(gateway: Any, shared: Mapping[str, Any]) -> Iterator[Broken]:
    if isinstance(gateway, dict) and "gateway" not in gateway:
        yield from _gateway_rules(("gateway",), gateway)
        return
    name = gateway.get("gateway") if isinstance(gateway, dict) else gateway
    if isinstance(name, str) and name not in shared:
        known = did_you_mean(name, shared) if shared else "bulkmail.yaml has no `gateways`."
        yield ("gateway",), f"there is no gateway `{name}` in bulkmail.yaml. {known}"
    if name is None and len(shared) > 1:
        yield (), f"`gateway` is needed: bulkmail.yaml has {', '.join(shared)}"


def _gateway_rules(loc: Loc, gateway: Any) -> Iterator[Broken]:
    if not isinstance(gateway, dict):
        return
    provider = gateway.get("provider") or ("http" if gateway.get("url") else None)
    if provider is None:
        yield loc, "needs a `provider`: `ihuyi`, or `http` with a `url`"
    elif provider == "ihuyi":
        yield from _ihuyi_rules(loc, gateway)
    elif provider == "http":
        yield from _request_rules(loc, gateway)
    for key in ("endpoint", "url"):
        address = gateway.get(key)
        if isinstance(address, str) and not ENVIRONMENT_REFERENCE.search(address):
            reason = unsafe_url(address, is_plain_allowed=gateway.get("security") == "none")
            if reason:
                yield (*loc, key), reason


def _ihuyi_rules(loc: Loc, gateway: Mapping[str, Any]) -> Iterator[Broken]:
    for key in _OF_HTTP:
        if gateway.get(key) is not None:
            yield (*loc, key), "is for `provider: http`, and this is `ihuyi`"
    for key, called in (("account", "ID"), ("password", "KEY")):
        if gateway.get(key) is None:
            yield loc, f"`{key}` is needed: ihuyi's API {called}"


def _request_rules(loc: Loc, gateway: Mapping[str, Any]) -> Iterator[Broken]:
    for key in _OF_IHUYI:
        if gateway.get(key) is not None:
            yield (*loc, key), "is for `provider: ihuyi`, and this is `http`"
    if gateway.get("url") is None:
        yield loc, "`url` is needed: where messages go to"
    bodies = [key for key in ("form", "json") if gateway.get(key) is not None]
    if len(bodies) > 1:
        yield (*loc, "json"), "stands beside `form`: a request has one body"
    if bodies and gateway.get("method") == "GET":
        yield (*loc, bodies[0]), "is a body, and a GET has none: `query` is for parameters"
    if gateway.get("auth") == "basic":
        for key in ("account", "password"):
            if gateway.get(key) is None:
                yield (*loc, "auth"), f"needs an `{key}`"


def unsafe_url(url: str, *, is_plain_allowed: bool) -> str | None:
    """Why nothing is sent to that address; None: it can be.

    A key and a text go over TLS, but to this machine itself, or where somebody wrote that they
    need not.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL: https://sms.example.com/send"
    if parts.scheme not in {"https", "http"} or not host:
        return "is no URL: https://sms.example.com/send"
    if {"{", "}"} & set(parts.netloc):
        return "has a template for its host: a row must not say where key and text go"
    if parts.username or parts.password:
        return "holds a password: it belongs to `account` and `password`, with `auth: basic`"
    if parts.scheme == "http" and not is_plain_allowed and not _is_loopback(host):
        return (
            "is not encrypted, and key and text would be readable on the way: https://, or "
            "`security: none` where that is meant"
        )
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
