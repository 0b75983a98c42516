"""What a person orders of a campaign in the ledger: pause, cancel, try again, rename and the like.

All but `purge` and `rename` work while a run is under way, in whatever process: it heeds the order
within two seconds. What a run that died left behind is settled first.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bulkmail.app.opening import known, to_order
from bulkmail.campaign.rules import unsafe_name
from bulkmail.errors import CampaignBusy, ConfigurationError, Fault
from bulkmail.fate import Halt, State
from bulkmail.ledger import CampaignRecord, Ledger, PutBack
from bulkmail.value_class import value_class

#: ``552``, ``55``, ``5`` of a reply code; ``5.2.2``, ``5.2`` of an enhanced one (RFC 3463).
_CODE = re.compile(r"[245]\d{0,2}|[245]\.\d{1,3}(\.\d{1,3})?")
#: In which states recipients can be tried again.
RETRIED = (State.FAILED, State.IN_DOUBT, State.DEFERRED, State.SUPPRESSED)


@value_class(kw_only=True)
class Ordered:
    """What came of an order."""

    #: The campaign's name in the ledger.
    campaign: str
    #: How many recipients it changed.
    count: int = 0
    #: Those it might have been about, and that stay as they are.
    left: int = 0
    #: Whether a run is under way, which heeds it.
    is_running: bool = False
    #: What halted the campaign before, and what halts it now.
    before: Halt | None = None
    halt: Halt | None = None
    #: Copies of the ledger that earlier versions of it left, with what it held then.
    copies: tuple[Path, ...] = ()


async def pause(where: Path, campaign: str, ledger: Path | None = None) -> Ordered:
    """Let nothing more of it begin until `resume`.

    Raises `ConfigurationError`, as all of these do, where there is no such campaign or ledger; and
    where it is cancelled.
    """
    async with _ordered(where, campaign, ledger, is_read=False) as (opened, record, is_running):
        if record.halt is Halt.CANCELLED:
            sentence = (
                f"{record.name} is cancelled: nothing more is sent of it that could be paused"
            )
            raise ConfigurationError(Fault(message=sentence))
        await opened.orders(record.id).pause()
        return Ordered(
            campaign=record.name, is_running=is_running, before=record.halt, halt=Halt.PAUSED
        )


async def resume(where: Path, campaign: str, ledger: Path | None = None) -> Ordered:
    """Lift a pause, or a cancellation; `count` is how many the latter suppressed: they stay so."""
    async with _ordered(where, campaign, ledger, is_read=False) as (opened, record, is_running):
        orders = opened.orders(record.id)
        await orders.resume()
        return Ordered(
            campaign=record.name,
            count=await orders.cancelled(),
            is_running=is_running,
            before=record.halt,
        )


async def cancel(where: Path, campaign: str, ledger: Path | None = None) -> Ordered:
    """Suppress all who were not sent to, and who come to its list later; `count` of them now."""
    async with _ordered(where, campaign, ledger, is_read=False) as (opened, record, is_running):
        return Ordered(
            campaign=record.name,
            count=await opened.orders(record.id).cancel(),
            is_running=is_running,
            before=record.halt,
            halt=Halt.CANCELLED,
        )


async def retry(
    where: Path,
    campaign: str,
    *,
    state: State = State.FAILED,
    code: str | None = None,
    ledger: Path | None = None,
) -> Ordered:
    """Make those in `state` (one of `RETRIED`) pending again, as if they had not been tried.

    With `code` only those whose last reply had it: ``552``, ``5.2.2``, or the beginning of one. Of
    the suppressed, those who were cancelled. A cancellation is lifted by it.
    """
    if state not in RETRIED:
        raise ConfigurationError(Fault(message=f"who is {state} cannot be tried again"))
    if code is not None and not _CODE.fullmatch(code):
        sentence = f"`{code}` is no reply code such as 552, and no enhanced code such as 5.2.2"
        raise ConfigurationError(Fault(message=sentence))
    async with _ordered(where, campaign, ledger) as (opened, record, is_running):
        put_back = await opened.orders(record.id).retry(state, code)
        return _put_back(record, put_back, is_running=is_running)


async def resolve(
    where: Path, campaign: str, *, resend: bool, ledger: Path | None = None
) -> Ordered:
    """Decide on all who are in doubt: they have it, or are sent it again under its Message-ID.

    Another doubt about one who is sent it again is held.
    """
    async with _ordered(where, campaign, ledger) as (opened, record, is_running):
        orders = opened.orders(record.id)
        if not resend:
            return Ordered(
                campaign=record.name,
                count=await orders.resolve(),
                is_running=is_running,
                before=record.halt,
                halt=record.halt,
            )
        return _put_back(record, await orders.resend(), is_running=is_running)


def _put_back(record: CampaignRecord, put_back: PutBack, *, is_running: bool) -> Ordered:
    return Ordered(
        campaign=record.name,
        count=put_back.count,
        left=put_back.left,
        is_running=is_running,
        before=record.halt,
        # To try somebody again lifts a cancellation.
        halt=None if record.halt is Halt.CANCELLED else record.halt,
    )


async def purge(where: Path, campaign: str, ledger: Path | None = None) -> Ordered:
    """Drop the row data of all its recipients; outcomes, keys and addresses stay.

    Raises `CampaignBusy` while a run is under way.
    """
    async with to_order(where, campaign, ledger) as (opened, name):
        record = await known(opened, name)
        with opened.lock(name):
            await opened.cut_off(record.id)
            await opened.checks(name).forget()
            count = await opened.orders(record.id).purge()
        return Ordered(
            campaign=name,
            count=count,
            before=record.halt,
            halt=record.halt,
            copies=_copies(opened),
        )


async def rename(where: Path, old: str, new: str, ledger: Path | None = None) -> Ordered:
    """Give a campaign another name in the ledger. Message-IDs of its recipients stay.

    `old` is its name in the ledger, or its file. Raises `ConfigurationError` where there is one of
    the new name, or it cannot be a name; `CampaignBusy` while a run of either is under way.
    """
    if sentence := unsafe_name(new):
        raise ConfigurationError(Fault(message=f"the new name: {sentence}"))
    async with to_order(where, old, ledger) as (opened, of_file):
        # A file that was sent as `old` may say another name by now.
        name = old if await opened.campaign(old) is not None else of_file
        record = await known(opened, name)
        if name == new:
            raise ConfigurationError(Fault(message=f"the campaign is called {new} already"))
        with opened.lock(name), opened.lock(new):
            await opened.rename(name, new)
            counts = await opened.counts(record.id)
        return Ordered(campaign=new, count=counts.total, before=record.halt, halt=record.halt)


@contextlib.asynccontextmanager
async def _ordered(
    where: Path, campaign: str, given: Path | None, *, is_read: bool = True
) -> AsyncIterator[tuple[Ledger, CampaignRecord, bool]]:
    """The ledger, the campaign in it, and whether a run of it is under way.

    With `is_read` False the first pass over its list may be under way still.
    """
    async with to_order(where, campaign, given) as (opened, name):
        record = await known(opened, name, is_read=is_read)
        with _if_nobody_runs(opened, name) as is_mine:
            if is_mine:
                await opened.cut_off(record.id)
        yield opened, record, not is_mine


@contextlib.contextmanager
def _if_nobody_runs(ledger: Ledger, name: str) -> Iterator[bool]:
    """Hold the campaign's lock, where no run holds it; whether it is held."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(ledger.lock(name))
        except CampaignBusy:
            yield False
            return
        yield True


def _copies(ledger: Ledger) -> tuple[Path, ...]:
    if ledger.path is None:
        return ()
    return tuple(sorted(ledger.path.parent.glob(f"{ledger.path.name}.v*.bak")))
