"""What a command that a user has us start finds in its environment: what we were started with."""

from __future__ import annotations

import os

#: What we set for ourselves, and for processes of our own (`__main__`).
OURS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")


def child_environment() -> dict[str, str]:
    """The environment of this process, without what we set."""
    name, value = OURS
    return {key: text for key, text in os.environ.items() if (key, text) != (name, value)}
