"""The reference of all keys, as Markdown, made from the models: docs/campaign.md holds it.

`python -m bulkmail.campaign.reference` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from bulkmail.campaign.mail_domains import MAIL_DOMAINS
from bulkmail.campaign.models.attachment import AttachmentModel, InvitationModel
from bulkmail.campaign.models.campaign import (
    CampaignModel,
    DefaultsModel,
    LedgerModel,
    ProjectModel,
)
from bulkmail.campaign.models.dkim import DkimModel
from bulkmail.campaign.models.gateway import AnswerModel, GatewayModel
from bulkmail.campaign.models.limit import LimitModel, StopModel
from bulkmail.campaign.models.notification import NotificationModel
from bulkmail.campaign.models.recipients import RecipientsModel
from bulkmail.campaign.models.retry import RetryModel
from bulkmail.campaign.models.schedule import ScheduleModel
from bulkmail.campaign.models.server import ServerModel, ServerReference
from bulkmail.campaign.models.sms import SmsModel
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.models.unsubscribe import UnsubscribeModel
from bulkmail.campaign.models.warm_up import WarmUpModel
from bulkmail.campaign.providers import PROVIDERS
from bulkmail.campaign.units import Rate, format_duration

_HEAD = """\
# What may stand in a campaign

Made from the models by `python -m bulkmail.campaign.reference`; change those, not this page.

A campaign is a YAML file, `campaigns/NAME.yaml`; what several share stands in `bulkmail.yaml` at
the project's root. Every key is here. A key that is not is an error, which names the line and the
nearest known key; so is a key that is written twice.

```yaml
from: "People Team <people@example.com>"
subject: "Your offer, {{ name }}"
text: offer.txt.j2
html: offer.html.j2
recipients: offer.csv
attachments:
  - handbook.pdf
  - path: "letters/{{ employee_id }}.pdf"
    filename: "Offer {{ name }}.pdf"
servers: [primary]
```

**Values.** Plain values are read as JSON reads them: `true`, `false`, `null` and numbers such as
`12` and `1.5`. Everything else is text as it is written, also `no`, `on`, `012`, `+8613800000000`
and `2026-12-01`. A value that begins with `{{` needs quotes around it. A key without a value is as
if it were not there.

- A *duration* is `500ms`, `30s`, `5m`, `1h`, `2d`, or a bare number of seconds.
- A *rate* is `10/s`, `300/min`, `500/h` or `2000/day`.
- *Templates* are Jinja2; every column of the recipient's row is a variable.
- `${NAME}` is looked up in the environment when the server is used, not by a check or a dry run.
- *Paths* are looked up from the campaign's folder, then from the project's root, and must not lead
  out of it, unless their folder is in `allow_paths`. (`ca_file` and a password's file may lie
  anywhere.) Templates are looked up in `templates/`, then beside the campaign.
"""

_SECTIONS: tuple[tuple[str, str, type[StrictModel]], ...] = (
    ("A campaign", "", CampaignModel),
    (
        "recipients",
        (
            "A path or a list of mappings can stand alone; this is the long form. A row may carry "
            "`cc` and `bcc`: addresses separated by commas or semicolons, or a list."
        ),
        RecipientsModel,
    ),
    ("attachments", "Each is a path, or:", AttachmentModel),
    ("ics", "An invitation, in `attachments`; the recipient can answer it.", InvitationModel),
    ("retry", "", RetryModel),
    (
        "stop_after",
        "`25`, `50%` or `never` can stand alone; the long form has both, and these defaults:",
        StopModel,
    ),
    (
        "limits",
        (
            "In a campaign, or in `bulkmail.yaml` for all. A mapping of domains to limits: a "
            "provider by name (below), a domain, or several with commas between them, which are "
            "counted together: `gmail: 5/s`, `corp.example: {rate: 100/h, connections: 1}`, "
            '`"a.example, b.example": 20/min`. A rate can stand alone. Who waits for such a limit '
            "holds up nobody else."
        ),
        LimitModel,
    ),
    (
        "on_finish, on_failure",
        "An address or `https://…` can stand alone. [Notifications](notifications.md) has more.",
        NotificationModel,
    ),
    ("unsubscribe", "In a campaign, or in `bulkmail.yaml` for all.", UnsubscribeModel),
    ("dkim", "In a campaign, or in `bulkmail.yaml` for all; one, or a list.", DkimModel),
    ("schedule", "", ScheduleModel),
    (
        "servers",
        (
            "In `bulkmail.yaml` a mapping of names to servers. In a campaign a list of such names "
            "and of servers written right there, in order of preference, or a mapping as well. "
            "A server:"
        ),
        ServerModel,
    ),
    ("warm_up", "On a server: a quota that grows from day to day.", WarmUpModel),
    ("servers, by name", "To give a server another weight in one campaign:", ServerReference),
    ("bulkmail.yaml", "All of it is optional.", ProjectModel),
    (
        "Text messages",
        (
            "A campaign with `channel: sms`. [Text messages](sms.md) tells the whole way. These "
            "are its keys; those of mail are not allowed, and of `defaults` it takes what is here."
        ),
        SmsModel,
    ),
    (
        "gateways",
        (
            "In `bulkmail.yaml` a mapping of names to gateways; or one in the campaign, under "
            "`gateway`. In the templates of `http` every column is a variable, and `mobile` (the "
            "number, `+8613800138000`), `digits` (the same without its plus sign), `content` (the "
            "text), `message_id`, `gateway.account` and `gateway.password`."
        ),
        GatewayModel,
    ),
    ("success, retry_when", "What an answer has to look like.", AnswerModel),
    ("ledger", "In bulkmail.yaml.", LedgerModel),
)
_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a mapping",
}


def campaign_reference() -> str:
    """The page."""
    parts = [_HEAD]
    for title, introduction, model in _SECTIONS:
        parts.append(f"## {title}\n")
        if introduction:
            parts.append(f"{introduction}\n")
        parts.append(_table(_rows(model)))
    parts.append(f"`defaults` may hold {_listed(DefaultsModel.key_names())}.\n")
    parts.append("## Providers\n")
    parts.append(
        "What `provider:` stands for. Limits are those published for the smallest kind of account; "
        "`rate:` beside it replaces them.\n"
    )
    parts.append(_table(_provider_rows()))
    parts.append("## Recipients' providers\n")
    parts.append("What a name in `limits:` stands for.\n")
    parts.append(_table(_domain_rows()))
    return "\n".join(parts)


def _rows(model: type[StrictModel]) -> Iterable[tuple[str, ...]]:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", ())
    yield "key", "takes", "default", "meaning"
    for name, field in model.model_fields.items():
        key = field.alias or name
        written = schema["properties"][key]
        default = (
            "needed"
            if key in required
            else _default(field.get_default(call_default_factory=True), key)
        )
        yield f"`{key}`", _takes(written), default, field.description or ""


def _takes(schema: Mapping[str, Any]) -> str:
    """What a key takes, in words."""
    if "$comment" in schema:
        return str(schema["$comment"])
    if "enum" in schema:
        return _listed(str(value) for value in schema["enum"] if isinstance(value, str))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        forms = [_takes(form) for form in schema["anyOf"] if form.get("type") != "null"]
        return ", or ".join(dict.fromkeys(forms))
    if schema.get("type") == "integer" and "minimum" in schema:
        return f"a whole number from {schema['minimum']}"
    return _KINDS[schema.get("type", "object")]


def _default(value: Any, key: str) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float) and key not in {"share", "factor"}:
        return f"`{format_duration(value)}`"
    if key == "factor":
        return f"`{value:g}`"
    if key == "share":
        return f"`{value:.0%}`"
    if key == "backoff":
        return f"`{format_duration(value[0])}`"
    return f"`{value}`" if isinstance(value, str | int) else ""


def _provider_rows() -> Iterable[tuple[str, ...]]:
    yield "provider", "server", "security", "limits", "password"
    for name, provider in PROVIDERS.items():
        server = f"`{provider.host}:{provider.port}`"
        yield f"`{name}`", server, f"`{provider.security}`", _limits(provider.rates), provider.hint


def _domain_rows() -> Iterable[tuple[str, ...]]:
    yield "name", "domains"
    for name, domains in MAIL_DOMAINS.items():
        yield f"`{name}`", ", ".join(domains)


def _limits(rates: Iterable[Rate]) -> str:
    return ", ".join(f"`{rate}`" for rate in rates) or "by the plan"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    rule = "|" + " --- |" * (lines[0].count(" | ") + 1)
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(campaign_reference())
