"""Servers at the points where the tests of the dialogue begin."""

import pytest
from smtp.scripted_server import ScriptedServer


@pytest.fixture
def server() -> ScriptedServer:
    """A server that was just connected to."""
    return ScriptedServer()


@pytest.fixture
def lockstep() -> ScriptedServer:
    """A server in READY, without PIPELINING."""
    return ScriptedServer().greets("STARTTLS", "AUTH PLAIN LOGIN")


@pytest.fixture
def pipelined() -> ScriptedServer:
    """A server in READY, with PIPELINING."""
    return ScriptedServer().greets("PIPELINING", "AUTH PLAIN LOGIN")
