"""OpenDKIM as the verifier, with the public keys it finds in a file instead of the DNS."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from bulkmail.message.dkim.key import DkimKey

PROGRAM = Path("/usr/sbin/opendkim")
_CONFIGURATION = """\
Mode v
TestPublicKeys {folder}/keys
UserID root
RequireSafeKeys no
"""
_VERDICT = re.compile(r"dkim=(\w+).*?header\.a=([\w-]+)", re.DOTALL)


def verdicts(paths: Sequence[Path], keys: Iterable[DkimKey], folder: Path) -> list[dict[str, str]]:
    """What it says of each message's signatures: algorithm to ``pass``, ``fail`` …"""
    records = "".join(f"{key.record_name} {key.record}\n" for key in keys)
    (folder / "keys").write_text(records, "utf-8")
    (folder / "opendkim.conf").write_text(_CONFIGURATION.format(folder=folder), "utf-8")
    names = ",".join(str(path) for path in paths)
    done = subprocess.run(
        [PROGRAM, "-x", folder / "opendkim.conf", "-t", names, "-vv"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    headers = done.stdout.split("### INSHEADER:")[1:]
    return [{kind: verdict for verdict, kind in _VERDICT.findall(header)} for header in headers]
