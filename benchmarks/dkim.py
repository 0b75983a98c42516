"""What signing costs: a message, a shared attachment, and RSA against the library's own rate.

    python benchmarks/dkim.py [--seconds 2]

CPU time, in turns, medians. `ours` signs a whole message of 3.3 kB (canonical forms, body hash,
header, signature); `cryptography` signs the same number of octets with the same key and nothing
else. The attachment is 5 MB, 6.9 MB in base64, the same object in every message.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bulkmail.message.dkim.key import DkimKey
from bulkmail.message.dkim.signing import DkimSigner
from bulkmail.message.transfer_encoding import base64_lines

INSTANT = datetime(2026, 1, 5, tzinfo=UTC)
HEADER = (
    b"Date: Mon, 05 Jan 2026 08:30:00 +0800\r\nFrom: People Team <people@example.com>\r\n"
    b"To: Ada Lovelace <ada@example.com>\r\nMessage-ID: <1.abc@example.com>\r\n"
    b"Subject: Your offer\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
)
BODY = b"We would be glad to have you with us as an analyst.\r\n" * 60
ROUNDS = 9


def cost(work: Callable[[], object], seconds: float) -> float:
    """Microseconds of CPU a call."""
    calls, start = 0, time.process_time()
    while (took := time.process_time() - start) < seconds:
        work()
        calls += 1
    return took / calls * 1e6


def medians(works: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Each work's cost, all of them in turns."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            times[name].append(cost(work, seconds / ROUNDS))
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    seconds = parser.parse_args().seconds
    rsa = DkimKey.new("example.com", "r", "rsa")
    ed25519 = DkimKey.new("example.com", "e", "ed25519")
    attached = (HEADER + BODY, base64_lines(os.urandom(5_000_000)).content)
    letter = (HEADER + BODY,)
    content = bytes(len(HEADER))
    of_rsa, of_ed25519 = DkimSigner([rsa]), DkimSigner([ed25519])
    of_both = DkimSigner([rsa, ed25519])
    found = medians(
        {
            "cryptography, RSA-2048": lambda: rsa.sign(content),
            "ours, RSA-2048": lambda: of_rsa.signed(letter, INSTANT),
            "cryptography, Ed25519": lambda: ed25519.sign(content),
            "ours, Ed25519": lambda: of_ed25519.signed(letter, INSTANT),
            "ours, both": lambda: of_both.signed(letter, INSTANT),
            "ours, Ed25519, with 5 MB": lambda: of_ed25519.signed(attached, INSTANT),
        },
        seconds,
    )
    for name, took in found.items():
        print(f"{name + ':':<28}{took:10.1f} us {1e6 / took:9,.0f}/s of one core")
    rate = found["cryptography, RSA-2048"] / found["ours, RSA-2048"]
    print(f"RSA-2048, of the library's own rate: {rate:.1%}")


if __name__ == "__main__":
    main()
