"""The DNS of these tests."""

from support.dns_server import ask

__all__ = ["ask"]
