"""RFC 5321 as values: bytes in, values out, and back. No socket, no loop, no clock."""
