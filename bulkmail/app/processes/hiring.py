"""Whether a run has children, and when they are started.

A number of processes that was asked for is started at once, so that they get ready while the list
is read; for `auto` it has to be known first how many recipients there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bulkmail.app.assembly import KEPT_BACK, Stock, Surroundings
from bulkmail.app.options import SendOptions
from bulkmail.app.processes.sharing import how_many, kept_back
from bulkmail.campaign.load import Campaign
from bulkmail.settings import Way, domain_limits

if TYPE_CHECKING:
    from bulkmail.app.processes.crew import Crew


class Hiring:
    """The children of one run, or none. To be closed in any case."""

    def __init__(
        self,
        campaign: Campaign,
        options: SendOptions,
        servers: Sequence[Way],
        surroundings: Surroundings,
        environ: Mapping[str, str],
    ) -> None:
        self._campaign = campaign
        self._options = options
        self._servers = servers
        self._surroundings = surroundings
        self._environ = environ
        self._crew: Crew | None = None
        #: From whom connections were taken.
        self._stock: Stock | None = None

    async def begin(self) -> None:
        """Start as many as were asked for, and can share the connections."""
        await self._hire(None)

    async def crew(self, to_go: int) -> Crew | None:
        """Who sends to so many recipients; None: this process does it alone."""
        if self._crew is None and to_go > 0:
            await self._hire(to_go)
        return self._crew if to_go > 0 else None

    async def close(self) -> None:
        """End who was started and is not needed."""
        if self._crew is not None:
            await self._crew.close()
        if self._stock is not None:
            self._stock.put_back(self._servers)

    def _take(self, stock: Stock) -> bool:
        if not stock.take(self._servers):
            return False
        self._stock = stock
        return True

    async def _hire(self, to_go: int | None) -> None:
        limits = domain_limits(self._campaign)
        stock = self._surroundings.stock
        back = 0 if stock is None else KEPT_BACK
        of = how_many(self._options.processes, kept_back(self._servers, back), limits, to_go)
        if of < 2:  # noqa: PLR2004  # one is this process itself
            return
        if stock is not None and not self._take(stock):
            return
        # Of no use to who sends alone, and not free to import.
        from bulkmail.app.processes.crew import Crew  # noqa: PLC0415

        self._crew = Crew(
            self._campaign,
            self._environ,
            self._surroundings,
            of=of,
            kept_back=back,
            is_transcribed=self._options.transcript is not None,
            is_verbose=self._options.verbose,
        )
        await self._crew.start()
