"""A ledger whose file somebody takes away while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkmail.clock import SystemClock
from bulkmail.errors import LedgerError
from bulkmail.ledger import Ledger


@pytest.mark.parametrize("is_replaced", [False, True], ids=["removed", "replaced"])
async def test_nothing_is_written_to_a_file_that_nobody_would_find(
    tmp_path: Path, is_replaced: bool
) -> None:
    path = tmp_path / "ledger.db"
    ledger = await Ledger.open(path, clock=SystemClock())
    await ledger.suppression().add(["ann@x.example"], "asked for it")
    path.unlink()
    if is_replaced:
        path.touch()

    with pytest.raises(LedgerError, match="removed or replaced"):
        await ledger.suppression().add(["bob@x.example"], "asked for it")

    await ledger.close()
