"""Keys made by hand: where they are kept, and what is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from support.commandline import Cli

from bulkmail.message.dkim.key import DkimKey
from bulkmail.secret import Secret


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_the_record_that_is_shown_is_that_of_the_key_in_the_file(cli: Cli, kind: str) -> None:
    result = cli("dkim", "new-key", "Example.com", "--selector", "s1", "--type", kind)

    path = Path("dkim-s1-example.com.pem")
    key = DkimKey.parse("example.com", "s1", Secret(path.read_text("ascii")))
    assert result.code == 0
    assert key.record in result.out.splitlines()
    assert key.record == "".join(key.record_strings)
    assert all(f'"{text}"' in result.out for text in key.record_strings)
    assert all(len(text) <= 255 for text in key.record_strings)
    assert f"k={kind};" in key.record
    assert path.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in result.out


def test_the_yaml_that_is_shown_is_yaml(cli: Cli) -> None:
    result = cli("dkim", "new-key", "example.com", "--selector", "2026", "--out", "a, b.pem")

    shown = yaml.safe_load(result.out[result.out.index("dkim:\n") :])
    assert shown["dkim"]["key"] == {"file": "a, b.pem"}


def test_a_key_that_is_there_is_never_replaced(cli: Cli) -> None:
    cli("dkim", "new-key", "example.com", "--selector", "s1")
    before = Path("dkim-s1-example.com.pem").read_bytes()

    again = cli("dkim", "new-key", "example.com", "--selector", "s1")

    assert again.code == 2
    assert "is there already, and may be in use" in again.err
    assert Path("dkim-s1-example.com.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["exa mple", "--selector", "s"], "is not a domain"),
        (["example.com", "--selector", "a b"], "is no selector"),
        (["example.com", "--selector", "-a"], "is no selector"),
        (["example.com", "--selector", "a..b"], "is no selector"),
        (["example.com", "--selector", "s", "--out", "gone/k.pem"], "cannot be written"),
    ],
)
def test_what_is_no_name_is_refused(cli: Cli, arguments: list[str], sentence: str) -> None:
    result = cli("dkim", "new-key", *arguments)

    assert result.code == 2
    assert sentence in result.err
    assert list(Path.cwd().iterdir()) == []


def test_machines_get_an_object(cli: Cli) -> None:
    result = cli("dkim", "new-key", "example.com", "--selector", "s1", "--json")

    told = json.loads(result.out)
    assert told["record_name"] == "s1._domainkey.example.com"
    assert told["record"].startswith("v=DKIM1; k=rsa; p=")
    assert Path(told["file"]).is_file()
