"""Who is claimed next, by the limits of recipient domains."""

from __future__ import annotations

from collections.abc import Sequence

from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.gates import Gate
from bulkmail.delivery.outlook import Outlook
from bulkmail.fate import Delivery


class Claiming:
    """The dispatcher's claims. They shut no gate, and ask for nobody of whom none is due."""

    def __init__(self, shared: Engagement, outlook: Outlook) -> None:
        self._shared = shared
        self._outlook = outlook

    async def claim(
        self, want: int, now: float, among: Sequence[int] | None = None
    ) -> list[Delivery]:
        """Claim rows: of domains under a limit those whose turn it is, then those under none."""
        claimed: list[Delivery] = []
        gates = self._shared.gates.open(now)
        if among is None:
            await self._outlook.ask_again([*(gate.name for gate in gates), ""], now)
        for gate in gates:
            room = min(want - len(claimed), gate.room(now))
            claimed += await self._entered(gate, await self._due(room, now, among, gate.name))
        return claimed + await self._due(want - len(claimed), now, among, "")

    async def _due(
        self, room: int, now: float, among: Sequence[int] | None, scope: str
    ) -> list[Delivery]:
        """Claim up to `room` rows of one group, unless it is known that nobody is due."""
        if room <= 0 or (among is None and self._outlook.is_quiet(scope, now)):
            return []
        found = await self._shared.ledger.claim(room, among, scope)
        if among is None and len(found) < room:
            self._outlook.found_all(scope)
        return found

    async def _entered(self, gate: Gate, found: Sequence[Delivery]) -> list[Delivery]:
        """Those that are still let through: others' cc may have come in while they were claimed.

        The rest is given back.
        """
        entered: list[Delivery] = []
        rest: list[Delivery] = []
        for delivery in found:
            is_let_through = gate.admits(delivery.id)
            (entered if is_let_through else rest).append(delivery)
            if is_let_through:
                gate.enter(delivery.id)
        if rest:
            await self._shared.ledger.release(rest)
        return entered
