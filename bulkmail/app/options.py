"""What a `send` is asked for, as one value: the options of the command, and of the library."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from bulkmail.report.log import Form
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Occasion:
    """Which time of a series this is: what a list that is looked up anew may ask for."""

    #: The ledger's name of the series: that of the campaign's file, without the instant.
    series: str
    #: Epoch seconds at which the list was read for the occurrence before; None: it is the first.
    last_run: float | None = None
    #: The instant that is noted as when this one's list is read; None: whenever that is.
    now: float | None = None


@value_class(kw_only=True)
class SendOptions:
    """The contract's options of `send`, by their names. Aware datetimes only."""

    dry_run: bool = False
    #: Where a dry run writes; default `outbox` in the current folder.
    out: Path | None = None
    #: Fixes the instant of composing.
    date: datetime | None = None
    test_to: str | None = None
    row: int | None = None
    email: str | None = None
    limit: int | None = None
    no_wait: bool = False
    ignore_window: bool = False
    skip_invalid: bool = False
    as_new: bool = False
    #: Refuse where anything changed since a person last ran `check`.
    require_check: bool = False
    transcript: Path | None = None
    ledger: Path | None = None
    #: How the log's lines are written.
    log_format: Form = "text"
    #: The occurrence of a series that is sent; None for a plain `send`.
    occasion: Occasion | None = None
    #: How many processes send; `auto`: as many as pay.
    processes: int | Literal["auto"] = 1
    #: Say more of what the run uses and of how its servers speak.
    verbose: bool = False
    #: Whether SIGINT and SIGTERM end the run gracefully: for a program that is nothing but the
    #: run. A second signal cuts.
    handle_signals: bool = False
