"""What the ledger knows of a campaign as a whole."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Halt
from bulkmail.ledger.statements import load


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRecord:
    """A campaign in the ledger."""

    id: int
    name: str
    #: Its file at the last complete pass, as it was given: relative to the project root.
    path: str
    #: The column its keys come from, at the last complete pass.
    key_column: str
    #: From's domain at the first enrolment: Message-IDs of later rows end in it as well.
    from_domain: str
    #: How many passes over the list were complete; 0: none, there is nothing to send.
    generation: int
    #: The list's hash at the last complete pass. None where the list is to be read again: none was
    #: complete, or one was begun since and cut off, or row data that is needed was dropped.
    list_sha256: str | None
    #: What was last checked, as `Ledger.set_checked` was told.
    fingerprint: str | None
    #: Epoch seconds.
    created_at: float
    #: What a person ordered; None: nothing.
    halt: Halt | None


def by_name(connection: sqlite3.Connection, name: str) -> CampaignRecord | None:
    """The campaign of that name."""
    return _one(connection.execute(load("campaigns")["campaign by name"], {"name": name}))


def by_path(connection: sqlite3.Connection, path: str) -> CampaignRecord | None:
    """The campaign that was last enrolled from that file, in whole."""
    return _one(connection.execute(load("campaigns")["campaign by path"], {"path": path}))


def every(connection: sqlite3.Connection) -> list[CampaignRecord]:
    """All campaigns, the oldest first."""
    return [_record(row) for row in connection.execute(load("campaigns")["campaigns"])]


def rename(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Give a campaign another name. Raises `ConfigurationError` with what is in the way."""
    if by_name(connection, old) is None:
        raise ConfigurationError(Fault(message=f"the ledger holds no campaign {old!r} to rename"))
    if old != new and by_name(connection, new) is not None:
        raise ConfigurationError(
            Fault(
                message=f"{old!r} cannot become {new!r}: the ledger holds a campaign of that name"
            )
        )
    connection.execute(load("campaigns")["rename"], {"old": old, "new": new})


def set_checked(connection: sqlite3.Connection, campaign_id: int, fingerprint: str) -> None:
    """Remember what was checked."""
    connection.execute(
        load("campaigns")["set checked"], {"campaign_id": campaign_id, "fingerprint": fingerprint}
    )


def _one(cursor: sqlite3.Cursor) -> CampaignRecord | None:
    row = cursor.fetchone()
    return None if row is None else _record(row)


def _record(row: tuple[object, ...]) -> CampaignRecord:
    *facts, halt = row
    names = CampaignRecord.__slots__
    return CampaignRecord(**dict(zip(names, [*facts, Halt(halt) if halt else None], strict=True)))  # type: ignore[arg-type]  # STRICT columns
