"""What the ledger knows of a campaign as a whole."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import fields

from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Halt
from bulkmail.ledger.statements import bindable, load
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class CampaignRecord:
    """A campaign in the ledger."""

    id: int
    name: str
    #: Its file at the last complete pass, as it was given: relative to the project root.
    path: str
    #: The column its keys come from, at the last complete pass.
    key_column: str
    #: The name its Message-IDs are made of, whatever it is called since.
    origin: str
    #: From's domain at the first enrolment: Message-IDs of later rows end in it as well.
    from_domain: str
    #: How many passes over the list were complete; 0: none, there is nothing to send.
    generation: int
    #: The list's hash at the last complete pass. None where the list is to be read again: none was
    #: complete, or one was begun since and cut off, or row data that is needed was dropped.
    list_sha256: str | None
    #: What was last checked, as `Ledger.set_checked` was told.
    fingerprint: str | None
    #: Its name at that time.
    checked_as: str | None
    #: Epoch seconds.
    created_at: float
    #: What a person ordered; None: nothing.
    halt: Halt | None


def by_name(connection: sqlite3.Connection, name: str) -> CampaignRecord | None:
    """The campaign of that name."""
    return _one(connection.execute(load("campaigns")["campaign by name"], {"name": bindable(name)}))


def by_path(connection: sqlite3.Connection, path: str) -> CampaignRecord | None:
    """The campaign that was last enrolled from that file, in whole."""
    sql = load("campaigns")["campaign by path"]
    return _one(connection.execute(sql, {"path": bindable(path)}))


def every(connection: sqlite3.Connection) -> list[CampaignRecord]:
    """All campaigns, the oldest first."""
    return [_record(row) for row in connection.execute(load("campaigns")["campaigns"])]


def origin(connection: sqlite3.Connection, name: str) -> str:
    """The name that Message-IDs of the campaign `name` are made of, enrolled or not.

    Its own, unless a campaign that has another name by now began as that one: two campaigns whose
    messages bear the same Message-IDs are one to a mailbox, which shows the first of them.
    """
    if (record := by_name(connection, name)) is not None:
        return record.origin
    sql = load("campaigns")["is origin"]
    # No campaign's name holds a slash.
    candidates = itertools.chain([name], (f"{name}/{number}" for number in itertools.count(2)))
    return next(
        candidate
        for candidate in candidates
        if not connection.execute(sql, {"origin": candidate}).fetchone()[0]
    )


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


def notified(connection: sqlite3.Connection, campaign_id: int) -> str | None:
    """How the campaign stood when somebody was last told; None: nobody was."""
    sql = load("campaigns")["notified"]
    found = connection.execute(sql, {"campaign_id": campaign_id}).fetchone()
    return None if found is None else found[0]


def set_notified(connection: sqlite3.Connection, campaign_id: int, facts: str) -> None:
    """Remember what was told."""
    parameters = {"campaign_id": campaign_id, "facts": facts}
    connection.execute(load("campaigns")["set notified"], parameters)


def _one(cursor: sqlite3.Cursor) -> CampaignRecord | None:
    row = cursor.fetchone()
    return None if row is None else _record(row)


def _record(row: tuple[object, ...]) -> CampaignRecord:
    *facts, halt = row
    names = [each.name for each in fields(CampaignRecord)]
    return CampaignRecord(**dict(zip(names, [*facts, Halt(halt) if halt else None], strict=True)))  # type: ignore[arg-type]  # STRICT columns
