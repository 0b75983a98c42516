"""What holds for a campaign whatever it goes by: mail over SMTP, text messages over a gateway.

The same cases on both roads, from the campaign's file to the report, by servers that misbehave.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from support.mail_project import LETTER, MailProject
from support.program import PATIENCE, start
from support.scripted_gateway import Arrival as Request
from support.scripted_gateway import answer, code, scripted_gateway, takes
from support.scripted_server import CUT, HANG, Answer, Turn, scripted

#: What a server does with one address, in words that both roads know.
Deeds = dict[int, str]


class Asked(list[str]):
    """Whom a server was asked to reach, in order; it can call out at one of them."""

    strike_at = 0
    strike: Callable[[], None] | None = None

    def append(self, address: str) -> None:
        super().append(address)
        if self.strike is not None and len(self) >= self.strike_at:
            strike, self.strike = self.strike, None
            strike()


class Road(Protocol):
    """One channel: who is written to, and a server that does as it is told."""

    def addresses(self, count: int) -> list[str]: ...

    def server(self, deeds: Deeds, **terms: object) -> contextlib.AbstractAsyncContextManager[Any]:
        """Put a server into the project; gives the list of whom it was asked to reach."""
        ...


@dataclass
class Mail:
    project: MailProject

    def addresses(self, count: int) -> list[str]:
        return self.project.many(count)

    @contextlib.asynccontextmanager
    async def server(self, deeds: Deeds, **terms: object) -> AsyncIterator[Asked]:
        words: dict[str, Answer] = {
            "refuse": "550 5.1.1 no such user",
            "later": "451 4.3.0 later",
            "silence": CUT,
            "hang": HANG,
        }
        asked = Asked()

        def rule(turn: Turn) -> Answer | None:
            if turn.stage not in {"rcpt", "dot"}:
                return None
            number = int(turn.address.removeprefix("reader").partition("@")[0])
            deed = deeds.get(number, "take")
            if deed == "later" and (turn.stage == "dot" or turn.nth_for_address > 1):
                deed = "take"
            decides = "rcpt" if deed in {"refuse", "later"} else "dot"
            if turn.stage != decides:
                return None
            asked.append(turn.address)
            return words.get(deed)

        async with scripted(rule) as server:
            self.project.servers(
                {"host": "127.0.0.1", "port": server.port, "security": "none"} | terms
            )
            yield asked


@dataclass
class Texts:
    project: MailProject

    def addresses(self, count: int) -> list[str]:
        numbers = [f"+861380013{n:04d}" for n in range(count)]
        rows = [f"{number},Reader" for number in numbers]
        self.project.write("campaigns/list.csv", "\n".join(["mobile,name", *rows, ""]))
        return numbers

    @contextlib.asynccontextmanager
    async def server(self, deeds: Deeds, **terms: object) -> AsyncIterator[Asked]:
        asked = Asked()

        def answering(request: Request, nth: int) -> bytes | str | None:
            asked.append(f"+86{request.mobile}")
            match deeds.get(int(request.mobile[-4:]), "take"):
                case "refuse":
                    return code(4030, "blacklisted")
                case "later" if nth == 1:
                    return answer("busy", 503)
                case "silence":
                    return None
                case "hang":
                    return "hang"
            return takes(request, nth)

        async with scripted_gateway(answering) as gateway:
            for key in ("from", "subject", "text"):
                self.project.keys.pop(key, None)
            self.project.keys |= {
                "channel": "sms",
                "content": "Hello {{ name }}",
                "gateway": {
                    "provider": "ihuyi",
                    "account": "C1",
                    "password": "key",
                    "endpoint": gateway.endpoint,
                }
                | terms,
            }
            yield asked


@pytest.fixture(params=[Mail, Texts], ids=["mail", "sms"])
def road(request: pytest.FixtureRequest, project: MailProject) -> Road:
    made: Road = request.param(project)
    return made


async def test_everybody_is_sent_to_once(road: Road, project: MailProject) -> None:
    addresses = road.addresses(20)

    async with road.server({}) as asked:
        first = await project.send()
        again = await project.send()

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert Counter(asked) == Counter(addresses)
    assert set((await project.states()).values()) == {"sent"}


async def test_one_who_is_refused_fails_and_the_others_are_sent_to(
    road: Road, project: MailProject
) -> None:
    addresses = road.addresses(5)

    async with road.server({2: "refuse"}) as asked:
        summary = await project.send()

    states = await project.states()
    assert summary.exit_code == 1
    assert states[addresses[2]] == "failed"
    assert [states[address] for address in addresses if address != addresses[2]] == ["sent"] * 4
    assert Counter(asked) == Counter(addresses)


async def test_one_who_is_put_off_is_tried_again(road: Road, project: MailProject) -> None:
    addresses = road.addresses(5)
    project.keys["retry"] = {"backoff": "10ms"}

    async with road.server({2: "later"}) as asked:
        summary = await project.send()

    rows = await project.report()
    assert summary.exit_code == 0
    assert asked.count(addresses[2]) == 2
    assert rows[addresses[2]]["attempts"] == 2


async def test_without_waiting_one_who_is_put_off_is_left_deferred(
    road: Road, project: MailProject
) -> None:
    addresses = road.addresses(3)

    async with road.server({2: "later"}) as asked:
        summary = await project.send(no_wait=True)

    assert summary.exit_code == 75
    assert (await project.states())[addresses[2]] == "deferred"
    assert len(asked) == 3


async def test_silence_behind_the_message_is_a_doubt_and_is_held(
    road: Road, project: MailProject
) -> None:
    addresses = road.addresses(5)
    project.keys["on_doubt"] = "hold"

    async with road.server({2: "silence"}) as asked:
        summary = await project.send()
        again = await project.send()

    rows = await project.report()
    assert (summary.exit_code, again.exit_code) == (1, 1)
    assert rows[addresses[2]]["state"] == "in_doubt"
    assert Counter(asked) == Counter(addresses)


async def test_a_doubt_is_sent_again_once_where_that_is_written(
    road: Road, project: MailProject
) -> None:
    addresses = road.addresses(3)
    project.keys |= {"on_doubt": "resend", "retry": {"backoff": "10ms"}}

    async with road.server({2: "silence"}) as asked:
        await project.send()

    assert asked.count(addresses[2]) == 2
    assert (await project.states())[addresses[2]] == "in_doubt"


async def test_a_quota_is_kept_and_the_rest_waits(road: Road, project: MailProject) -> None:
    road.addresses(8)

    async with road.server({}, rate="5/day") as asked:
        first = await project.send(no_wait=True)
        again = await project.send(no_wait=True)

    assert (first.exit_code, again.exit_code) == (75, 75)
    assert len(asked) == 5
    assert Counter((await project.states()).values()) == {"sent": 5, "pending": 3}


async def test_no_more_connections_are_open_than_it_may_have(
    road: Road, project: MailProject
) -> None:
    road.addresses(30)

    async with road.server({}, connections=2):
        summary = await project.send()

    assert summary.exit_code == 0


async def test_who_is_on_the_suppression_list_gets_nothing(
    road: Road, project: MailProject
) -> None:
    addresses = road.addresses(3)
    project.write("campaigns/gone.txt", f"{addresses[1]}\n")
    project.keys["suppress"] = ["gone.txt"]

    async with road.server({}) as asked:
        summary = await project.send()

    assert summary.exit_code == 0
    assert (await project.states())[addresses[1]] == "suppressed"
    assert set(asked) == {addresses[0], addresses[2]}


async def test_nothing_listens_is_exit_3_and_everybody_stays_pending(
    road: Road, project: MailProject
) -> None:
    road.addresses(3)
    async with road.server({}):
        pass

    summary = await project.send()

    assert summary.exit_code == 3
    assert set((await project.states()).values()) == {"pending"}


@pytest.mark.parametrize("kills", [4])
async def test_killed_at_random_a_run_goes_on_and_nobody_gets_it_twice(
    kills: int, road: Road, project: MailProject
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    dice = random.Random(seed)
    addresses = road.addresses(60)
    project.keys["on_doubt"] = "hold"

    async with road.server({}, connections=2) as asked:
        project.save()
        for _ in range(kills):
            asked.strike_at = len(asked) + dice.randrange(1, 10)
            process = await start(project.root, "send", LETTER, "--quiet")
            asked.strike = process.kill
            async with asyncio.timeout(PATIENCE):
                await process.communicate()
            assert process.returncode == -9, f"seed {seed}"
        summary = await project.send()

    states = await project.states()
    assert Counter(asked) == Counter(set(asked)), f"seed {seed}: somebody has two"
    assert set(states) == set(addresses), f"seed {seed}"
    assert set(states.values()) <= {"sent", "in_doubt"}, f"seed {seed}: {states}"
    # Two connections, and on each the message on the wire and the one that rides behind it.
    assert summary.counts.in_doubt <= kills * 2 * 2, f"seed {seed}"
    sent = {address for address, state in states.items() if state == "sent"}
    assert sent <= set(asked), f"seed {seed}: sent, and the server has it not"
