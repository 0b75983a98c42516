"""Who a process's children are, by /proc: each names its parent, whatever the kernel's options."""

from __future__ import annotations

from pathlib import Path


def children(of: int) -> list[int]:
    """The processes that one has started and has not waited for."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _parent(path) == of]


def state(pid: int) -> str:
    """A letter, as ``ps`` has it; "" where there is none of that number."""
    return _stat(Path(f"/proc/{pid}"))[0]


def _parent(path: Path) -> int:
    return int(_stat(path)[1])


def _stat(path: Path) -> tuple[str, str]:
    """Its state and its parent."""
    try:
        stat = (path / "stat").read_text("utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return "", "0"
    # Its name, in brackets, may hold anything.
    _, _, facts = stat.rpartition(")")
    found, parent, *_ = facts.split()
    return found, parent
