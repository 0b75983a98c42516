"""Limits by recipient domain, and when a server's use is to end, as they are written."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from bulkmail.address import parse_address
from bulkmail.campaign.mail_domains import MAIL_DOMAINS, group_name
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.nearest import did_you_mean
from bulkmail.campaign.values import Count, CountOrNone, Rates

_SHARE = re.compile(r"([0-9]{1,3})\s*%")
_MOST = 100


class LimitModel(StrictModel):
    """What one provider's mailboxes may get at most, over all servers."""

    rate: Rates = Field(
        (),
        description="At most so many recipients in any window of that length, cc and bcc counted: "
        "`5/s`, or a list `[5/s, 1000/h]`. Over all servers and campaigns of the ledger.",
    )
    connections: Count | None = Field(
        None, description="At most so many messages on their way to them at once."
    )

    @model_validator(mode="after")
    def _limits_something(self) -> LimitModel:
        if not self.rate and self.connections is None:
            raise ValueError("limits nothing: it needs a `rate`, or `connections`")
        return self


def limit_domains(written: str) -> tuple[str, tuple[str, ...]]:
    """The name and the domains of a key of `limits`. Raises `ValueError` with a sentence.

    A name of the table, a domain, or several of both with commas between them.
    """
    names: list[str] = []
    domains: list[str] = []
    for part in (part.strip() for part in written.split(",")):
        provider = group_name(part)
        found = MAIL_DOMAINS[provider] if provider is not None else (_domain(part),)
        names.append(provider or found[0])
        domains += found
    return ",".join(sorted(set(names))), tuple(dict.fromkeys(domains))


def _domain(text: str) -> str:
    if "." not in text:
        known = did_you_mean(text, MAIL_DOMAINS)
        raise ValueError(f"`{text}` is no domain, and no provider known here. {known}")
    try:
        return parse_address(f"postmaster@{text}").domain
    except ValueError as error:
        raise ValueError(f"`{text}` is not a domain: {error}") from error


def _group(text: Any) -> str:
    # 163 and 126 are numbers to YAML.
    name = str(text)
    limit_domains(name)
    return name


def _rate_alone(value: Any) -> Any:
    return {"rate": value} if isinstance(value, str | list) else value


def _disjoint(limits: dict[str, LimitModel]) -> dict[str, LimitModel]:
    seen: dict[str, str] = {}
    for written in limits:
        for domain in limit_domains(written)[1]:
            if domain in seen:
                raise ValueError(f"{domain} is in two of them: `{seen[domain]}` and `{written}`")
            seen[domain] = written
    return limits


Limits = Annotated[
    dict[
        Annotated[str, BeforeValidator(_group)],
        Annotated[
            LimitModel,
            BeforeValidator(_rate_alone, json_schema_input_type=str | list[str] | LimitModel),
        ],
    ],
    AfterValidator(_disjoint),
]


def _share(value: Any) -> float:
    match = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not 0 < int(match[1]) <= _MOST:
        raise ValueError("must be a share such as 50%, up to 100%")
    return int(match[1]) / _MOST


Share = Annotated[
    float,
    PlainValidator(_share),
    WithJsonSchema({"$comment": "a share, `50%`", "type": "string", "pattern": "^[0-9]+ *%$"}),
]


class StopModel(StrictModel):
    """When a server that refuses messages is not given any more."""

    in_a_row: CountOrNone = Field(
        25, description="So many messages refused one after the other; 0 is no limit."
    )
    share: Share | None = Field(0.5, description="Such a share of the last 100 messages.")


def _stop(value: Any) -> Any:
    if isinstance(value, str) and value.strip() == "never":
        return StopModel.model_construct(in_a_row=0, share=None)
    if isinstance(value, int) and not isinstance(value, bool):
        return StopModel.model_construct(in_a_row=_at_least_one(value), share=None)
    if isinstance(value, str):
        return StopModel.model_construct(in_a_row=0, share=_share(value))
    return value


def _at_least_one(count: int) -> int:
    if count < 1:
        raise ValueError("must be at least 1; `never` is no limit")
    return count


StopAfter = Annotated[
    StopModel,
    BeforeValidator(_stop, json_schema_input_type=int | str | StopModel),
    WithJsonSchema(
        {
            "$comment": "a number, a share `50%`, `never`, or a mapping",
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^([0-9]+ *%|never)$"},
                {
                    "type": "object",
                    "properties": {
                        "in_a_row": {"type": "integer", "minimum": 0},
                        "share": {"type": "string", "pattern": "^[0-9]+ *%$"},
                    },
                    "additionalProperties": False,
                },
            ],
        }
    ),
]
