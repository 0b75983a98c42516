"""The order of commands and replies: what may be said behind what, and where its replies lead.

Both hang on the kinds of commands alone, and a session says the same few groups over and over: of
each it is worked out once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from bulkmail.smtp.commands import (
    Auth,
    AuthResponse,
    Bdat,
    Command,
    Ehlo,
    EndOfData,
    Greeting,
    Helo,
    StartTls,
)
from bulkmail.smtp.reply import CLOSING
from bulkmail.smtp.states import HOPED, LEADS, State

Kind = type[Command]

#: Groups that are remembered.
_REMEMBERED = 1024
#: What is good of a reply to these says something of the session, to be looked at by itself.
_TELLING = frozenset({Greeting, Ehlo, Helo, StartTls, Auth, AuthResponse})


class Circumstances(NamedTuple):
    """What else of a session decides what may be said."""

    is_pipelining: bool
    is_chunking: bool
    is_tls: bool
    is_authenticated: bool


@lru_cache(_REMEMBERED)
def misuse(
    hoped: State, former: Kind | None, kinds: Sequence[Kind], session: Circumstances
) -> str | None:
    """Why commands of these kinds may not be said now, in this order; None: they may.

    `hoped` is the state when all that is outstanding, `former` being the last of it, was answered
    well.
    """
    for kind in kinds:
        stage = kind.stage
        if former is not None and (former.ends_group or not session.is_pipelining):
            behind = f"{stage} behind {former.stage}"
            if session.is_pipelining:
                return behind
            return f"{stage} before the reply, without PIPELINING"
        if (following := HOPED[hoped].get(stage)) is None:
            return f"{stage} has no place in {hoped.value}"
        if (objection := _objection(kind, hoped, session)) is not None:
            return objection
        former, hoped = kind, following
    return None


def _objection(kind: Kind, hoped: State, session: Circumstances) -> str | None:
    """What else may be held against a command, where the table lets it pass."""
    if kind is StartTls and session.is_tls:
        return "STARTTLS under TLS (RFC 3207, 4.2)"
    if kind is EndOfData and hoped is not State.EXPECT_CONTENT:
        return f"a final dot in {hoped.value}"
    if kind is Bdat:
        return _objection_to_bdat(hoped, session)
    if kind is Auth or kind is AuthResponse:
        return _objection_to_auth(kind, hoped, session)
    return None


def _objection_to_bdat(hoped: State, session: Circumstances) -> str | None:
    if hoped is not State.RCPT_GIVEN:
        return f"BDAT in {hoped.value}"
    return None if session.is_chunking else "BDAT without CHUNKING"


def _objection_to_auth(kind: Kind, hoped: State, session: Circumstances) -> str | None:
    is_response = kind is AuthResponse
    if is_response is not (hoped is State.AUTHENTICATING):
        return f"{'a response' if is_response else 'AUTH'} in {hoped.value}"
    return "AUTH after AUTH succeeded (RFC 4954, 4)" if session.is_authenticated else None


@lru_cache(_REMEMBERED)
def led_to(state: State, kinds: Sequence[Kind], codes: Iterable[int]) -> State | None:
    """The state behind replies of these codes to commands of these kinds, from `state` on.

    None where one of them has to be looked at by itself: it is not in the table, or closes the
    session, or says something of it.
    """
    for kind, code in zip(kinds, codes, strict=True):
        following = LEADS[state].get(kind.stage, {}).get(code // 100)
        if following is None or code == CLOSING or kind in _TELLING:
            return None
        state = following
    return state
