"""How a run of several processes ends, by who is left in the ledger."""

from __future__ import annotations

from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import pytest
from support.mail_project import MailProject

from bulkmail import Campaign
from bulkmail.app.assembly import Surroundings
from bulkmail.app.processes.crew import Crew
from bulkmail.delivery.ending import Ending, RunResult, RunSettings
from bulkmail.fate import Counts
from bulkmail.report.silence import Silence

DONE = RunResult(ending=Ending.DONE)
WITHOUT = RunResult(ending=Ending.NO_SERVER, sentence="one: refused")


@pytest.mark.parametrize(
    ("counts", "held", "ending"),
    [
        (Counts(sent=3), 0, Ending.DONE),
        (Counts(sent=2, pending=1), 0, Ending.NO_SERVER),
        (Counts(sent=2, deferred=1), 0, Ending.NO_SERVER),
        # In doubt, and to be sent to again.
        (Counts(sent=2, in_doubt=1), 0, Ending.NO_SERVER),
        # In doubt, and a person's to decide.
        (Counts(sent=2, in_doubt=1), 1, Ending.DONE),
    ],
)
async def test_that_no_server_works_matters_where_somebody_is_left(
    project: MailProject,
    monkeypatch: pytest.MonkeyPatch,
    counts: Counts,
    held: int,
    ending: Ending,
) -> None:
    monkeypatch.setattr(Crew, "_round", AsyncMock(return_value=[DONE, WITHOUT]))
    ledger = Mock(counts=AsyncMock(return_value=counts), held=AsyncMock(return_value=held))
    crew = Crew(
        Campaign.load(project.save()),
        {},
        Surroundings.ordinary(Silence()),
        of=2,
        is_transcribed=False,
        is_verbose=False,
    )

    task = Mock(ledger=ledger, campaign_id=1, settings=RunSettings(), watch=Silence())
    ended = await crew.run(cast("Any", task))

    assert ended.ending is ending
