from __future__ import annotations

import pytest

from bulkmail.campaign.units import parse_rate
from bulkmail.report.least_time import least_seconds


@pytest.mark.parametrize(
    ("count", "servers", "seconds"),
    [
        (0, [["1/s"]], 0),
        (1, [["1/min"]], 0),
        (60, [], 0),
        (60, [["1/s"], []], 0),
        (61, [["2/s"]], 30),
        (61, [["60/min", "10/s"]], 60),
        (200, [["200/day"]], 0),
        (201, [["200/day"]], 86_400),
        (3000, [["20/s", "200/day"]], 14 * 86_400),
        (300, [["200/day"], ["100/h"]], 0),
        (400, [["200/day"], ["100/h"]], 3600),
    ],
)
def test_the_limits_of_all_servers_make_the_least_time(
    count: int, servers: list[list[str]], seconds: float
) -> None:
    limits = [[parse_rate(text) for text in rates] for rates in servers]

    assert least_seconds(count, limits) == pytest.approx(seconds, abs=1e-6)
