"""The arithmetic of a schedule: ten simulated years of a campaign that is due every ten minutes.

    python -m benchmarks.schedule

The aim is 30 s for the whole walk: each time becomes due, is decided on, and is handled.
"""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from bulkmail.campaign.models.schedule import ScheduleModel
from bulkmail.schedule.timetable import timetable

ZONE = ZoneInfo("Europe/Berlin")


def main() -> None:
    table = timetable(
        ScheduleModel.model_validate({"every": "*/10 * * * *", "timezone": "Europe/Berlin"})
    )
    assert table is not None
    start = datetime(2026, 1, 1, tzinfo=ZONE).timestamp()
    end = datetime(2036, 1, 1, tzinfo=ZONE).timestamp()
    began = time.process_time()
    now, handled, count = start, None, 0
    while now < end:
        if found := table.due(now, first_seen=start, handled=handled):
            handled = found.due_at
            count += 1
        now += 600
    took = time.process_time() - began
    print(f"{count:,} occurrences in ten years, decided one by one: {took:.1f} s of CPU")
    began = time.process_time()
    instants = 0
    for instant in table.upcoming(start):
        if instant >= end:
            break
        instants += 1
    print(f"{instants:,} listed ahead: {time.process_time() - began:.1f} s of CPU")


if __name__ == "__main__":
    main()
