from __future__ import annotations

import signal
import sys
import types
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from support.commandline import Cli, Fake, Result

from bulkmail.cli.main import main


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.delenv("BULKMAIL_DEBUG", raising=False)

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    def put(name: str, **members: Any) -> types.ModuleType:
        module = types.ModuleType(f"bulkmail.app.{name}")
        vars(module).update(members)
        folder, _, attribute = module.__name__.rpartition(".")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(import_module(folder), attribute, module, raising=False)
        return module

    return put


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Path:
    """A new project, the current folder; its campaign is `hello`."""
    monkeypatch.chdir(tmp_path)
    assert cli("init").code == 0
    return tmp_path
