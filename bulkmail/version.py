"""The version of this package: a module of its own, as `--version` loads no other."""

from __future__ import annotations

#: Held equal to the distribution's by tests/test_exported_members.py.
__version__ = "0.1.0"
