"""`bulkmail plan`: how long it will take, and whether that is in time."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, datetime

import pytest
from support.commandline import Cli
from support.mail_project import MailProject
from support.scripted_server import scripted

from bulkmail.schedule.estimate import Outlet, Quota, estimate

NOWHERE = {"host": "127.0.0.1", "port": 9, "security": "none"}


def foreseen(cli: Cli) -> dict[str, object]:
    result = cli("plan", "letter", "--json")
    assert result.code == 0, result.err
    found: dict[str, object] = json.loads(result.out)
    return found


def seconds(found: dict[str, object]) -> float:
    return float(str(found["seconds"]))


def test_a_pace_decides_how_long_it_takes(project: MailProject, cli: Cli) -> None:
    project.servers({**NOWHERE, "rate": "60/min"})
    project.many(120)
    project.save()

    found = foreseen(cli)

    assert found["recipients"] == 120
    assert seconds(found) == pytest.approx(120, rel=0.05)
    assert found["servers"] == {"127.0.0.1:9": 120}
    assert not project.ledger.exists()


def test_who_is_suppressed_or_at_fault_is_not_counted(project: MailProject, cli: Cli) -> None:
    project.servers({**NOWHERE, "rate": "1/s"})
    project.people(["ada@example.com", "bob@example.com", "no address"])
    project.write("campaigns/gone.csv", "email\nbob@example.com\n")
    project.save(suppress="gone.csv")

    assert foreseen(cli)["recipients"] == 1


def test_a_password_is_not_needed(project: MailProject, cli: Cli) -> None:
    login = {"username": "me", "password": "${UNSET_PASSWORD}"}
    project.servers({**NOWHERE, "rate": "60/min", **login})
    project.many(60)
    project.save()

    assert seconds(foreseen(cli)) == pytest.approx(60, rel=0.05)


@pytest.mark.parametrize(
    "gateway",
    [
        {"provider": "ihuyi", "account": "${UNSET}", "password": "${UNSET}"},
        {
            "url": "https://sms.example/send",
            "headers": {"Authorization": "Bearer ${UNSET}"},
            "json": {"to": "{{ mobile }}", "key": "${UNSET}"},
            "success": {"status": 200},
        },
    ],
    ids=["ihuyi", "http"],
)
def test_text_messages_are_foreseen_without_their_secrets(
    project: MailProject, cli: Cli, gateway: dict[str, object]
) -> None:
    project.write("campaigns/list.csv", "mobile\n13800138000\n13800138001\n")
    project.keys = {"channel": "sms", "content": "Hello.", "recipients": "list.csv"}
    project.save(gateway={**gateway, "rate": "60/min"})

    found = foreseen(cli)

    assert found["recipients"] == 2
    assert list(dict(found["servers"]).values()) == [2]  # type: ignore[call-overload]


async def test_only_who_is_new_is_counted(project: MailProject, cli: Cli) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people(["ada@example.com", "bob@Bücher.example"])
        project.save(only_new=True)
        await project.send()
    project.people(["ada@example.com", "bob@Bücher.example", "eve@example.org"])
    project.save(only_new=True, schedule={"every": "1d"})

    found = await asyncio.to_thread(foreseen, cli)

    assert found["recipients"] == 1


def test_a_quota_is_waited_for_and_until_is_missed(project: MailProject, cli: Cli) -> None:
    project.servers({**NOWHERE, "rate": ["10/s", "100/day"]})
    project.many(250)
    project.save(schedule={"at": "2099-01-01T09:00", "until": "2099-01-02", "timezone": "UTC"})

    found = foreseen(cli)
    told = cli("plan", "letter").out

    assert seconds(found) == pytest.approx(2 * 86400, rel=0.05)
    assert found["begins_at"] == "2099-01-01T09:00:00Z"
    # A hundred on the first day, as many on the second.
    assert found["too_late"] == 50
    assert "cannot be done before `until`" in told


def test_the_limit_of_a_recipient_domain_may_take_longest(project: MailProject, cli: Cli) -> None:
    project.servers({**NOWHERE, "rate": "100/s"})
    project.many(60)
    project.save(limits={"example.com": "1/s"})

    found = foreseen(cli)

    assert found["slowest_domains"] == "example.com"
    assert seconds(found) == pytest.approx(60, rel=0.05)


def test_a_window_is_kept(project: MailProject, cli: Cli) -> None:
    project.servers({**NOWHERE, "rate": "60/min"})
    project.many(1000)
    project.save(
        schedule={"at": "2099-01-01T08:00", "window": "09:00-09:10", "timezone": "Asia/Shanghai"}
    )

    found = foreseen(cli)

    assert found["begins_at"] == "2099-01-01T01:00:00Z"
    assert str(found["ends_at"]).startswith("2099-01-02T01:0")


def test_what_was_used_of_a_quota_frees_itself_as_it_was_used() -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    quota = Quota(10, 3600.0)
    quota.used.extend([(now - 3000, 4.0), (now - 600, 6.0)])

    found = estimate(8, [Outlet(name="a", pace=1000.0, quotas=(quota,))], starts_at=now)

    assert found.begins_at == pytest.approx(now + 600)
    assert found.ends_at == pytest.approx(now + 3000, abs=1)


def test_what_never_comes_to_an_end_is_said_to() -> None:
    found = estimate(1, [], starts_at=0.0)

    assert math.isinf(found.ends_at)
