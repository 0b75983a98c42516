"""Who is told how a run ended, as it is written: an address, or a web server."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.secret_reference import SecretReference, SecretText
from bulkmail.campaign.values import MailboxTexts, is_template


def _no_template(mailboxes: tuple[str, ...]) -> tuple[str, ...]:
    if any(map(is_template, mailboxes)):
        raise ValueError("is no template: it is the same for all rows")
    return mailboxes


class NotificationModel(StrictModel):
    """Somebody who is told: by mail, or by a request to a web server."""

    mail: Annotated[MailboxTexts, AfterValidator(_no_template)] = Field(
        (),
        description="Addresses that get the summary, and a CSV of who failed or is in doubt, "
        "through the campaign's servers and within their limits.",
    )
    webhook: SecretText | None = Field(
        None,
        description="An address, `https://…`, in which `${NAME}` may stand: the summary is posted "
        "there as JSON. Needs the extra `http`.",
    )
    secret: SecretText | None = Field(
        None,
        description="With `webhook`: what the request is signed with, as `${NAME}` or "
        "`{file: PATH}`. Its header `X-Bulkmail-Signature` is `sha256=` and the body's "
        "HMAC-SHA256 in hexadecimal.",
    )

    @model_validator(mode="after")
    def _says_where(self) -> NotificationModel:
        if bool(self.mail) == (self.webhook is not None):
            raise ValueError("needs `mail` or `webhook`, one of them")
        if self.secret is not None and self.webhook is None:
            raise ValueError("`secret` is for a `webhook`, and there is none")
        if self.webhook is not None and _is_plain(self.webhook):
            raise ValueError("is not encrypted: only https://, but for this machine itself")
        return self


def _is_plain(webhook: SecretReference) -> bool:
    """Whether it is written as one that is not encrypted; what is looked up is judged then."""
    text = "" if webhook.text is None else webhook.text.reveal()
    if "${" in text or not text.lower().startswith("http://"):
        return False
    try:
        host = urlsplit(text).hostname or ""
        return host != "localhost" and not ip_address(host).is_loopback
    except ValueError:
        return True


def _entry(value: Any) -> Any:
    """`ops@example.com`, or `https://…`, alone."""
    if not isinstance(value, str):
        return value
    is_address = "://" in value or value.startswith("${")
    return {"webhook": value} if is_address else {"mail": value}


def _entries(value: Any) -> Any:
    entries = value if isinstance(value, list | tuple) else [value]
    return [_entry(entry) for entry in entries]


_Written = str | NotificationModel
Notifications = Annotated[
    tuple[NotificationModel, ...],
    BeforeValidator(_entries, json_schema_input_type=_Written | list[_Written]),
]
