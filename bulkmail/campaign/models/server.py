"""A server as it is written, and the ways to say which servers a campaign uses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)

from bulkmail.campaign.host_name import HelloNameText, HostText
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.models.warm_up import WarmUpModel
from bulkmail.campaign.nearest import did_you_mean
from bulkmail.campaign.providers import PROVIDERS
from bulkmail.campaign.values import (
    Connections,
    Count,
    CountOrNone,
    EnvironmentText,
    FilledLine,
    Flag,
    Password,
    Port,
    PositiveDuration,
    Rates,
)


def _known_provider(name: str) -> str:
    if name not in PROVIDERS:
        raise ValueError(f"`{name}` is no provider known here. {did_you_mean(name, PROVIDERS)}")
    return name


def _as_text(name: Any) -> Any:
    """163 and 126 are numbers to YAML."""
    return str(name) if isinstance(name, int) else name


ProviderName = Annotated[
    FilledLine,
    BeforeValidator(_as_text),
    AfterValidator(_known_provider),
    WithJsonSchema({"enum": [*PROVIDERS, *(int(name) for name in PROVIDERS if name.isdigit())]}),
]


class ServerModel(StrictModel):
    """One submission server."""

    host: HostText | None = Field(
        None, description="Name or address of the server. It or `provider` is needed."
    )
    provider: ProviderName | None = Field(
        None,
        description="A mail provider by name, for its host, port, security and published limits; "
        "any of them may be written beside it.",
    )
    region: FilledLine | None = Field(
        None,
        description="Where the provider has several: an AWS region for `ses` (needed there), "
        "`us` or `eu` for `mailgun`, `com`, `eu`, `in`, … for `zoho`.",
    )
    port: Port | None = Field(
        None, description="The provider's, or 587; 465 where `security` is `tls`."
    )
    security: Literal["tls", "starttls", "opportunistic", "none"] | None = Field(
        None,
        description="`tls` (from the first byte), `starttls`, `opportunistic` (TLS where offered; "
        "no login without it) or `none` (plain, login included). Default: the provider's; else "
        "`tls` on port 465, `opportunistic` on 25, `starttls` on any other.",
    )
    ca_file: EnvironmentText | None = Field(
        None,
        description="PEM file of extra trust anchors, beside the system's. Relative to this file.",
    )
    verify: Flag = Field(
        default=True,
        description="`false` takes any certificate: only for servers under your own hands.",
    )
    username: EnvironmentText | None = Field(None, description="The login's name.")
    password: Password | None = Field(
        None,
        description="`${VARIABLE}` from the environment, `{file: PATH}` (its first line) or "
        "`{command: [PROGRAM, ARGUMENT]}` (what it prints; run again for a fresh one before a "
        "login counts as refused). The access token for `xoauth2`. Looked up only when the "
        "server is used.",
    )
    auth: Literal["auto", "plain", "login", "cram-md5", "scram-sha-256", "xoauth2"] = Field(
        "auto",
        description="The login's mechanism; `auto` is the strongest that both sides know.",
    )
    rate: Rates = Field(
        (),
        description="At most so many messages in any window of that length: `300/min`, or a list "
        "`[10/s, 300/min, 2000/day]`. For this server, over all campaigns of the ledger. "
        "`/s` and `/min` are spread evenly, `/h` and `/day` are used up as fast as those allow. "
        "Default: the provider's published limits, else none.",
    )
    warm_up: WarmUpModel | None = Field(
        None,
        description="A quota by the day that grows, beside `rate`: "
        "`{start: 50/day, factor: 1.5, until: 5000/day}`. The ledger counts its days.",
    )
    connections: Connections = Field(
        4, description="At most so many connections at once, for one run and its processes."
    )
    messages_per_connection: CountOrNone = Field(
        100, description="After so many messages a connection is made anew; 0 is no limit."
    )
    connection_lifetime: PositiveDuration = Field(
        300.0, description="After so long as well, whichever comes first."
    )
    window: Count = Field(
        8,
        description="Where the server offers CHUNKING and no limit holds it back, so many messages "
        "of a connection may be on their way without a reply (BDAT). After a crash as many of each "
        "connection can be in doubt. 1: the next message waits for the reply to this one.",
    )
    timeout: PositiveDuration = Field(
        30.0, description="How long each stage may take but the end of data."
    )
    data_timeout: PositiveDuration = Field(
        600.0, description="How long the answer to a whole message may take (RFC 5321, 4.5.3.2.6)."
    )
    local_hostname: HelloNameText | None = Field(
        None,
        description="The name in EHLO. Default: the machine's full name, or its address literal.",
    )
    weight: Count | None = Field(
        None,
        description="This server's share, where all servers of a campaign have one. Without: "
        "servers are used in order, the next only when one is unusable or its quota is spent.",
    )


class ServerReference(StrictModel):
    """A server of bulkmail.yaml, by name."""

    server: FilledLine = Field(description="Its name under `servers` in bulkmail.yaml.")
    weight: Count | None = Field(None, description="Its share in this campaign.")


# Tags in angle brackets are pydantic's way to say which form was meant; no key looks like them.
def _form(value: Any) -> str | None:
    if isinstance(value, dict):
        return "<mapping>"
    return "<list>" if isinstance(value, list | tuple) else None


def _entry_form(value: Any) -> str:
    is_reference = isinstance(value, ServerReference) or (
        isinstance(value, dict) and "server" in value
    )
    return "<name>" if is_reference else "<inline>"


def _reference(value: Any) -> Any:
    return {"server": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_WrittenEntry = str | ServerReference | ServerModel
ServerEntry = Annotated[
    Annotated[ServerReference, Tag("<name>")] | Annotated[ServerModel, Tag("<inline>")],
    Discriminator(_entry_form),
    BeforeValidator(_reference, json_schema_input_type=_WrittenEntry),
]
#: Names and inline servers in order of preference, or a mapping of names to servers.
Servers = Annotated[
    Annotated[tuple[ServerEntry, ...], Field(min_length=1), Tag("<list>")]
    | Annotated[dict[FilledLine, ServerModel], Field(min_length=1), Tag("<mapping>")],
    Discriminator(_form),
    BeforeValidator(
        _as_list, json_schema_input_type=str | list[_WrittenEntry] | dict[str, ServerModel]
    ),
]
