"""A command in a network whose TCP is not paced: `python -m benchmarks.unpaced COMMAND…`.

Under BBR the kernel sends by timers, and what that takes is booked to whatever runs when they ring:
nothing to a program that sleeps meanwhile, and all of the sending to one that does something else.
Under Reno who writes sends. Needs Linux and unshare(1); only 127.0.0.1 is there.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_WITHIN = "--within"
_CONTROL = Path("/proc/sys/net/ipv4/tcp_congestion_control")
#: Linux's ioctl that sets the flags of an interface, and the flag that it is up.
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1


def congestion_control() -> str:
    """What connections begin with here; "" where the system does not say."""
    return _CONTROL.read_text("ascii").strip() if _CONTROL.exists() else ""


def main() -> None:
    """Become the command, in that network."""
    command = sys.argv[1:]
    if command[:1] != [_WITHIN]:
        inner = [sys.executable, "-m", "benchmarks.unpaced", _WITHIN, *command]
        os.execvp("unshare", ["unshare", "--map-root-user", "--net", *inner])
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
    _CONTROL.write_text("reno", "ascii")
    os.execvp(command[1], command[1:])


if __name__ == "__main__":
    main()
