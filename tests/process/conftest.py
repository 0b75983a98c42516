from __future__ import annotations

from pathlib import Path

import pytest
from support.mail_project import MailProject


@pytest.fixture
def project(tmp_path: Path) -> MailProject:
    """An empty project with the campaign `letter` for three people."""
    return MailProject(tmp_path)
