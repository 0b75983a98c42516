"""How much a lane is given at once."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from support.engine import SkippingClock, server

from bulkmail.delivery.lane import AHEAD, Lane
from bulkmail.fate import Delivery


def lane_of(connections: int) -> Lane:
    settings = server("primary", connections=connections)
    nothing = cast("Any", None)
    lane = Lane(nothing, settings, nothing, SkippingClock(), is_patient=True)
    for _ in range(4 * connections):
        lane.health.accepted()
    return lane


def give(lane: Lane, count: int) -> None:
    lane.give([cast("Delivery", number) for number in range(count)])


def test_a_backlog_is_filled_up_by_many_at_once() -> None:
    lane = lane_of(4)
    give(lane, 4 * AHEAD)
    rooms = []
    for _ in range(9):
        lane.done()
        rooms.append(lane.room(0.0))

    assert rooms == [0, 0, 0, 0, 0, 0, 0, 8, 9]


async def test_who_leaves_lets_in_who_waits_for_a_connection() -> None:
    lane = lane_of(1)
    give(lane, 2)
    first = await lane.next()
    waiting = asyncio.create_task(lane.next())
    await asyncio.sleep(0)
    assert not waiting.done()

    lane.leave()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert waiting.done()
    assert (first, waiting.result()) == (cast("Any", 0), cast("Any", 1))


def test_a_server_that_is_tried_anew_gets_one_a_connection() -> None:
    settings = server("primary", connections=4)
    nothing = cast("Any", None)
    lane = Lane(nothing, settings, nothing, SkippingClock(), is_patient=True)

    assert lane.room(0.0) == 1
    give(lane, 1)
    assert lane.room(0.0) == 0
    lane.done()
    assert lane.room(0.0) == 1


def test_what_is_taken_ahead_is_taken_where_every_connection_has_one_more() -> None:
    lane = lane_of(2)
    give(lane, 4)

    taken: list[object] = [lane.next_of_many() for _ in range(3)]

    assert taken == [0, 1, None]


def test_what_is_put_back_comes_before_what_waits() -> None:
    lane = lane_of(2)
    give(lane, 4)
    taken = [delivery for _ in range(3) if (delivery := lane.next_now()) is not None]

    lane.put_back(taken[1:])

    left: list[object] = [lane.next_now() for _ in range(4)]
    assert left == [1, 2, 3, None]
    assert lane.in_hand == 4


def test_of_how_many_recipients_a_server_takes_at_once_the_least_that_was_seen_holds() -> None:
    lane = lane_of(2)

    for most in (4, 2, 6):
        lane.learn_most_recipients(most)

    assert lane.most_recipients == 2
