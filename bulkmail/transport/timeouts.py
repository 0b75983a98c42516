"""How long a stage may take with one server: the RFC's table, capped by its settings."""

from __future__ import annotations

from bulkmail.settings import ServerSettings
from bulkmail.smtp.stage import STAGE_TIMEOUTS, Stage


def stage_timeout(settings: ServerSettings, stage: Stage) -> float:
    """Seconds for `stage`. The end of data has a setting of its own, which is no cap."""
    if stage is Stage.END_OF_DATA:
        return settings.data_timeout
    return min(STAGE_TIMEOUTS[stage], settings.timeout)
