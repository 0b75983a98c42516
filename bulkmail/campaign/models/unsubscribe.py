"""How a reader leaves the list, as it is written (RFC 2369, RFC 8058)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic import WithJsonSchema as _WithJsonSchema

from bulkmail.address import parse_address
from bulkmail.campaign.document import Loc
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.secret_reference import SecretText
from bulkmail.campaign.values import FilledLine

#: Stands for the recipient's token in `url` and `mailto`.
TOKEN = "{token}"  # noqa: S105  # the place of a token, no secret
#: What is written by `unsubscribe`, and so not by `headers`.
HEADERS = ("list-unsubscribe", "list-unsubscribe-post")

#: RFC 3986's characters, but those that would end the angle brackets or the list around them.
_URL = r"https://[A-Za-z0-9._~:\[\]@-]+[/?][A-Za-z0-9._~:/?#\[\]@!$&'()*+;=%-]*"
_MAX_LENGTH = 500
_QUERY = re.compile(r"[A-Za-z0-9._~:/?@!$&'()*+;=%-]*")
_ANY_TOKEN = "1token"  # noqa: S105  # stands where a token will


def _url(text: str) -> str:
    if not text.lower().startswith("https://"):
        raise ValueError("must begin with https:// (RFC 8058 asks for it)")
    if text.count(TOKEN) != 1:
        raise ValueError(
            "needs one `{token}`, which tells recipients apart: https://example.com/u?t={token}"
        )
    if not re.fullmatch(_URL, text.replace(TOKEN, _ANY_TOKEN), re.IGNORECASE):
        raise ValueError("is no URL of ASCII with a path: https://example.com/u?t={token}")
    return _short(text)


def _mailto(text: str) -> str:
    text = text.removeprefix("mailto:")
    address, _, query = text.replace(TOKEN, _ANY_TOKEN).partition("?")
    try:
        plain = parse_address(address).wire.isascii()
    except ValueError as error:
        raise ValueError(f"begins with no address: {error}") from error
    if not plain or not _QUERY.fullmatch(query) or set(address) & set("<>,%"):
        raise ValueError("must be `leave@example.com?subject={token}`, spaces as %20")
    return _short(text)


def _short(text: str) -> str:
    """It becomes one line of a header (RFC 5322, 2.1.1), with a token or several in it."""
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"is longer than {_MAX_LENGTH} characters")
    return text


class UnsubscribeModel(StrictModel):
    """How a reader leaves: written as List-Unsubscribe, one click where there is a `url`."""

    url: (
        Annotated[
            FilledLine,
            AfterValidator(_url),
            _WithJsonSchema({"$comment": "`https://…{token}…`", "type": "string"}),
        ]
        | None
    ) = Field(
        None,
        description="Where a click leads and a mail provider POSTs to (RFC 8058); `{token}` is the "
        "recipient's. Needs `secret`.",
    )
    mailto: (
        Annotated[
            FilledLine,
            AfterValidator(_mailto),
            _WithJsonSchema({"$comment": "`ADDRESS?subject={token}`", "type": "string"}),
        ]
        | None
    ) = Field(
        None,
        description="The address that a mail to leaves, `{token}` in it or in its subject.",
    )
    secret: SecretText | None = Field(
        None,
        description="What tokens are made and verified with; the same as long as links shall work.",
    )

    @property
    def has_token(self) -> bool:
        """Whether a recipient's token is in what is written."""
        return self.url is not None or TOKEN in (self.mailto or "")


def with_unsubscribe(written: Mapping[str, Any], shared: Any) -> dict[str, Any]:
    """A campaign's keys, with the `unsubscribe` of bulkmail.yaml put in.

    Key by key where the campaign has its own. Where it has none, as a whole, but not into what is
    of `kind: transactional`, and not where it says nothing but a secret.
    """
    own = written.get("unsubscribe")
    if not isinstance(shared, dict):
        return dict(written)
    if isinstance(own, dict):
        return {**written, "unsubscribe": {**shared, **own}}
    is_wanted = written.get("kind") != "transactional" and (shared.keys() & {"url", "mailto"})
    if own is None and is_wanted:
        return {**written, "unsubscribe": shared}
    return dict(written)


def broken_unsubscribe_rules(written: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """What is wrong in a campaign, as to how its readers leave."""
    found = written.get("unsubscribe")
    if written.get("kind") == "marketing" and found is None:
        yield (
            ("kind",),
            "`marketing` needs `unsubscribe`: a way out for its readers (url, secret)",
        )
    if not isinstance(found, dict):
        return
    if found.get("url") is None and found.get("mailto") is None:
        yield ("unsubscribe",), "needs a `url`, or a `mailto`"
    for key in ("url", "mailto"):
        text = found.get(key)
        if isinstance(text, str) and TOKEN in text and found.get("secret") is None:
            yield (
                ("unsubscribe", key),
                "needs a `secret` beside it, which tokens are made with: ${UNSUBSCRIBE_SECRET}",
            )
    headers = written.get("headers")
    for name in headers if isinstance(headers, dict) else ():
        if isinstance(name, str) and name.lower() in HEADERS:
            yield ("headers", name), "is written by `unsubscribe`: leave one of the two out"
