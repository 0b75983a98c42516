"""The units that the documentation ships are ones that systemd takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.peers

UNITS = sorted((Path(__file__).parents[2] / "docs" / "systemd").iterdir())


def verified(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.fail("systemd-analyze is missing: apt-get install systemd")
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", folder / name],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
    )


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit: Path) -> None:
    result = verified(unit.parent, unit.name)

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_systemd_would_not_take_a_wrong_one(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text("utf-8")
        (tmp_path / unit.name).write_text(text.replace("Type=exec", "Type=executive"), "utf-8")

    result = verified(tmp_path, "bulkmail.service")

    assert "executive" in result.stderr


def test_there_are_a_service_and_a_timer() -> None:
    assert {unit.suffix for unit in UNITS} == {".service", ".timer"}
