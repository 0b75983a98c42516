from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = "from bulkmail.cli.output import is_one_stream; print(is_one_stream())"


@pytest.mark.parametrize(
    ("stderr", "told"), [(subprocess.STDOUT, "True"), (subprocess.PIPE, "False")]
)
def test_one_stream_is_told_from_two(stderr: int, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == told
