from __future__ import annotations

from pathlib import Path

import pytest
from support.mail_project import MailProject

from bulkmail.delivery import health


@pytest.fixture
def project(tmp_path: Path) -> MailProject:
    """An empty project with the campaign `letter` for three people."""
    return MailProject(tmp_path)


@pytest.fixture(autouse=True)
def _servers_rest_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second, then two, are the wait that tests of failing servers would be made of."""
    monkeypatch.setattr(health, "FIRST_REST", 0.01)
