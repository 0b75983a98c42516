"""Marks that stand for secrets in what is made of a row, until it is handed to a gateway.

A mark cannot be guessed, so no row's text can stand for a secret; and it is no secret, so that
whatever is shown before it is filled in shows none.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from bulkmail.secret import Secret

_NONCE = secrets.token_hex(16)
_MARK = re.compile(rf"⟦{_NONCE}:([A-Za-z0-9_]+)⟧")
#: What is shown where a secret stands.
MASK = "********"
#: The names of the account's own, among those of environment variables: none begins with a digit.
ACCOUNT = "0account"
PASSWORD = "0password"  # noqa: S105  # the name of one


def mark(name: str) -> str:
    """What stands for the secret of that name."""
    return f"⟦{_NONCE}:{name}⟧"


def filled(value: Any, known: Mapping[str, Secret]) -> Any:
    """`value`, a text or a JSON document, with secrets where their marks stood."""
    return _replaced(value, lambda name: known[name].reveal())


def masked(value: Any) -> Any:
    """The same for a person: no secret in it."""
    return _replaced(value, lambda _: MASK)


def _replaced(value: Any, by: Any) -> Any:
    match value:
        case str():
            return _MARK.sub(lambda match: str(by(match[1])), value)
        case dict():
            return {_replaced(key, by): _replaced(part, by) for key, part in value.items()}
        case list() | tuple():
            return [_replaced(part, by) for part in value]
    return value
