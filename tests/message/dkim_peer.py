"""dkimpy as the verifier of what we sign, with the DNS it asks written by the test."""

from __future__ import annotations

from collections.abc import Iterable

import dkim

from bulkmail.message.dkim.key import DkimKey


class Peer:
    """Verifies signatures against the records of these keys."""

    def __init__(self, keys: Iterable[DkimKey]) -> None:
        self._records = {f"{key.record_name}.".encode(): key.record.encode() for key in keys}

    def verdicts(self, content: bytes) -> list[bool]:
        """Whether each signature of a message holds, from the top."""
        checked = dkim.DKIM(content)
        count = content.count(b"\nDKIM-Signature:") + content.startswith(b"DKIM-Signature:")
        return [self._holds(checked, number) for number in range(count)]

    def _holds(self, checked: dkim.DKIM, number: int) -> bool:
        try:
            return bool(checked.verify(idx=number, dnsfunc=self._record))
        except dkim.DKIMException:
            return False

    def _record(self, name: bytes, timeout: int = 5) -> bytes | None:
        return self._records.get(name)
