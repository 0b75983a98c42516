"""A gateway for text messages as it is written: one that is known by name, or any over HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    Strict,
    Tag,
    WithJsonSchema,
)

from bulkmail.campaign.json_path import parse_json_path
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.values import (
    Connections,
    Count,
    EnvironmentText,
    FilledLine,
    Flag,
    Password,
    PositiveDuration,
    Rates,
)

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FORMS_OWN = {"content-length", "transfer-encoding", "host", "connection"}


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise ValueError("is no name of an HTTP header: letters, digits and hyphens")
    if name.lower() in _FORMS_OWN:
        raise ValueError("is made by the program itself")
    return name


def _scalar(value: Any) -> Any:
    """Numbers and true or false, as text: a form has nothing else."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _json_path(text: str) -> str:
    parse_json_path(text)
    return text


def _values(value: Any) -> Any:
    values = _listed(value)
    if not all(isinstance(one, str | int | float | bool) for one in values):
        raise ValueError("must be a text, a number, true or false, or a list of those")
    return tuple(values)


_TEXT = {"type": "string"}
_ONE = {"type": ["string", "number", "boolean"]}
#: Text in which columns, `mobile`, `content` and `${NAME}` are put in.
TemplateText = Annotated[str, Strict(), BeforeValidator(_scalar), WithJsonSchema(_ONE)]
TemplateTexts = dict[FilledLine, TemplateText]
HeaderTexts = dict[Annotated[FilledLine, AfterValidator(_header_name)], TemplateText]
JsonPath = Annotated[
    FilledLine, AfterValidator(_json_path), WithJsonSchema({"$comment": "a JSON path"} | _TEXT)
]
_STATUS = {"type": "integer", "minimum": 100, "maximum": 599}
Statuses = Annotated[
    tuple[Annotated[int, Strict(), Field(ge=100, le=599)], ...],
    BeforeValidator(_listed),
    WithJsonSchema(
        {
            "$comment": "an HTTP status, or a list",
            "anyOf": [_STATUS, {"type": "array", "items": _STATUS, "minItems": 1}],
        }
    ),
]
Values = Annotated[
    tuple[str | int | float | bool, ...],
    BeforeValidator(_values),
    WithJsonSchema(
        {"$comment": "a value, or a list", "anyOf": [_ONE, {"type": "array", "items": _ONE}]}
    ),
]


class AnswerModel(StrictModel):
    """What an answer has to look like. All that is given has to hold."""

    status: Statuses = Field((), description="The HTTP status, or a list of them.")
    path: JsonPath | None = Field(
        None, description="Where to look in the JSON: `code`, `data.state`, `messages[0].status`."
    )
    value: Values = Field(
        (), description="What stands there, or a list. Default: anything but null and false."
    )


def _answers(value: Any) -> Any:
    return [value] if isinstance(value, dict | AnswerModel) else value


Answers = Annotated[
    tuple[AnswerModel, ...],
    BeforeValidator(_answers, json_schema_input_type=AnswerModel | list[AnswerModel]),
]


class GatewayModel(StrictModel):
    """One gateway for text messages."""

    provider: Literal["ihuyi", "http"] | None = Field(
        None,
        description="`ihuyi` (互亿无线), or `http`: any other that is described here. Default: "
        "`http` where there is a `url`.",
    )
    account: EnvironmentText | None = Field(
        None,
        description="The account's name: ihuyi's API ID. In templates of `http`: "
        "`{{ gateway.account }}`.",
    )
    password: Password | None = Field(
        None,
        description="The account's key: ihuyi's API KEY. `${VARIABLE}` from the environment, "
        "`{file: PATH}` (its first line) or `{command: [PROGRAM, ARGUMENT]}`. Looked up only when "
        "the gateway is used. In templates of `http`: `{{ gateway.password }}`.",
    )
    sign: Flag = Field(
        default=False,
        description="`ihuyi`: send a dynamic password, signed over account, key, number, text and "
        "time, instead of the key itself.",
    )
    endpoint: EnvironmentText | None = Field(
        None, description="`ihuyi`: another address of its interface: a test server, a proxy."
    )
    url: EnvironmentText | None = Field(
        None, description="`http`: where to, a template: `https://sms.example.com/v1/send`."
    )
    method: Literal["POST", "PUT", "GET"] = Field("POST", description="`http`: how.")
    query: TemplateTexts = Field(
        default_factory=dict, description="`http`: parameters in the URL; the values are templates."
    )
    headers: HeaderTexts = Field(
        default_factory=dict, description="`http`: header fields; the values are templates."
    )
    form: TemplateTexts = Field(
        default_factory=dict, description="`http`: fields of a form; the values are templates."
    )
    json_: Any = Field(
        None,
        alias="json",
        description="`http`: a JSON document instead of a form; the texts in it are templates.",
    )
    auth: Literal["none", "basic"] = Field(
        "none", description="`http`: `basic` sends account and password by HTTP Basic."
    )
    success: AnswerModel | None = Field(
        None, description="`http`: how an answer says accepted, as below. Default: any 2xx."
    )
    retry_when: Answers = Field(
        (),
        description="`http`: answers after which it is tried again later, a list of the same. "
        "Beside 408, 425, 429 and 5xx, after which it always is.",
    )
    message_id: JsonPath | None = Field(
        None, description="`http`: where the answer holds the gateway's own id, `data.id`."
    )
    error: JsonPath | None = Field(
        None, description="`http`: where the answer says why it refuses, for the report."
    )
    idempotency_header: Annotated[FilledLine, AfterValidator(_header_name)] | None = Field(
        None,
        description="`http`: the header for a key that is the same in every try of a message, "
        "where the gateway has one: `Idempotency-Key`.",
    )
    max_characters: Count | None = Field(
        None, description="The longest text it takes, in characters. Default: 300 for `ihuyi`."
    )
    price_per_segment: Annotated[float, Field(ge=0)] | None = Field(
        None, description="What a segment costs, for the estimate of `check` and `preview`."
    )
    currency: FilledLine | None = Field(None, description="Of the price, such as `CNY`.")
    security: Literal["tls", "none"] = Field(
        "tls",
        description="`none` allows `http://` to another machine, key and text readable on the way. "
        "To this machine `http://` needs no such word.",
    )
    ca_file: EnvironmentText | None = Field(
        None,
        description="PEM file of extra trust anchors, beside the system's. Relative to this file.",
    )
    verify: Flag = Field(
        default=True,
        description="`false` takes any certificate: only for servers under your own hands.",
    )
    rate: Rates = Field(
        (),
        description="At most so many messages in any window of that length, as for a server: for "
        "this gateway, over all campaigns of the ledger.",
    )
    connections: Connections = Field(4, description="At most so many requests at once.")
    timeout: PositiveDuration = Field(
        30.0, description="How long a request may take, from its first byte to the whole answer."
    )


class GatewayReference(StrictModel):
    """A gateway of bulkmail.yaml, by name."""

    gateway: FilledLine = Field(description="Its name under `gateways` in bulkmail.yaml.")


def _reference(value: Any) -> Any:
    return {"gateway": value} if isinstance(value, str) else value


def _form(value: Any) -> str:
    is_reference = isinstance(value, GatewayReference) or (
        isinstance(value, dict) and "gateway" in value
    )
    return "<name>" if is_reference else "<inline>"


Gateway = Annotated[
    Annotated[GatewayReference, Tag("<name>")] | Annotated[GatewayModel, Tag("<inline>")],
    Discriminator(_form),
    BeforeValidator(_reference, json_schema_input_type=str | GatewayModel),
]
