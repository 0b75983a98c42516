"""A mail project in a folder of its own, which is also the current one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import RecipientList, open_recipients
from bulkmail.errors import ConfigurationError

#: Enough of a campaign for what a test adds.
BASE = "from: people@example.com\nsubject: Hello\ntext: hello.txt\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's root."""
    root = tmp_path / "project"
    (root / "campaigns").mkdir(parents=True)
    (root / "templates").mkdir()
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def write(project: Path) -> Callable[[str, str | bytes], Path]:
    """Writes a file of the project."""

    def write(name: str, content: str | bytes) -> Path:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def load(write: Callable[[str, str | bytes], Path]) -> Callable[..., Campaign]:
    """Loads a campaign of these keys, beside those that each needs (unless `base` is another)."""

    def load(keys: str = "recipients: [{email: a@b}]\n", base: str = BASE) -> Campaign:
        write("campaigns/offer.yaml", base + keys)
        return Campaign.load("campaigns/offer.yaml")

    return load


@pytest.fixture
def faults(load: Callable[..., Campaign]) -> Callable[..., list[str]]:
    """The faults of a campaign, as a user reads them."""

    def faults(keys: str = "", base: str = BASE + "recipients: [{email: a@b}]\n") -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            load(keys, base)
        return str(caught.value).splitlines()

    return faults


@pytest.fixture
def recipients(
    load: Callable[..., Campaign], write: Callable[[str, str | bytes], Path]
) -> Callable[..., RecipientList]:
    """The list of a file with this content; `options` are further keys of `recipients`."""

    def recipients(name: str, content: str | bytes, **options: str) -> RecipientList:
        write(f"campaigns/{name}", content)
        keys = "".join(f"\n  {key}: {value}" for key, value in options.items())
        return open_recipients(load(f"recipients:\n  path: {name}{keys}\n"))

    return recipients
