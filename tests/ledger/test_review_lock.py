"""One file is one ledger, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkmail.clock import SystemClock
from bulkmail.errors import CampaignBusy
from bulkmail.ledger import Ledger


async def test_a_link_to_a_ledger_does_not_lead_around_its_lock(tmp_path: Path) -> None:
    path, link = tmp_path / "real" / "ledger.db", tmp_path / "link.db"
    link.symlink_to(path)
    real = await Ledger.open(path, clock=SystemClock())
    linked = await Ledger.open(link, clock=SystemClock())

    with real.lock("offer"), pytest.raises(CampaignBusy):
        linked.lock("offer").acquire()

    await linked.close()
    await real.close()
