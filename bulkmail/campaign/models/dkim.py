"""A key that messages are signed with, as it is written (RFC 6376)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from bulkmail.address import parse_address, printable
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.secret_reference import SecretText
from bulkmail.campaign.values import FilledLine

_SELECTOR = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def dkim_domain(text: str) -> str:
    """The domain in A-labels, in lower case. Raises `ValueError` when it is none."""
    try:
        return parse_address(f"x@{text}").domain
    except ValueError as error:
        raise ValueError(f"`{printable(text)}` is not a domain such as example.com") from error


def dkim_selector(text: str) -> str:
    """A selector: labels with dots between them (RFC 6376, 3.1). Raises `ValueError`."""
    if not all(map(_SELECTOR.fullmatch, text.split("."))):
        raise ValueError(
            f"`{printable(text)}` is no selector such as s2026: letters, digits, hyphens"
        )
    return text.lower()


def _as_text(value: Any) -> Any:
    """A selector such as 2026 is a number to YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class DkimModel(StrictModel):
    """A key that every message is signed with."""

    domain: Annotated[FilledLine, AfterValidator(dkim_domain)] = Field(
        description="The domain that signs; that of `from`, or one above it, for DMARC to count it."
    )
    selector: Annotated[FilledLine, BeforeValidator(_as_text), AfterValidator(dkim_selector)] = (
        Field(description="Which of the domain's keys: the record is `SELECTOR._domainkey.DOMAIN`.")
    )
    key: SecretText = Field(
        description="The private key in PEM, RSA or Ed25519: `{file: PATH}`, or `${VARIABLE}` from "
        "the environment. `bulkmail dkim new-key` makes one."
    )


def _form(value: Any) -> str | None:
    if isinstance(value, dict | DkimModel):
        return "<mapping>"
    return "<list>" if isinstance(value, list | tuple) else None


#: One key, or a list: each of them signs.
DkimKeys = Annotated[
    Annotated[DkimModel, Tag("<mapping>")] | Annotated[tuple[DkimModel, ...], Tag("<list>")],
    Discriminator(
        _form,
        custom_error_type="dkim_form",
        custom_error_message="must be a mapping of `domain`, `selector` and `key`, or a list",
    ),
]
