"""The demo where there is nothing to show; tests/test_docs.py runs it in a checkout."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bulkmail.app.demo import demo
from bulkmail.errors import ConfigurationError


async def test_in_a_folder_without_the_example_the_way_to_one_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"to try anywhere else: bulkmail init my-letters"):
        await demo(tmp_path, say=print)

    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []
