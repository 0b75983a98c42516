"""Metrics for Prometheus (extra `metrics`): what runs do, without a recipient in any label.

A campaign's occurrences count under their series, so that the number of labels does not grow with
time. Counters are this process's; the ledger is the authority for how a campaign stands.
"""

from __future__ import annotations

from typing import Any

from bulkmail.campaign.occurrence_name import series_of
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.fate import Attempt, Counts, Delivery, State
from bulkmail.message.extra import MissingExtra, extra
from bulkmail.report.least_time import Limits

#: Seconds from a message's composition to its result.
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """The metrics of one process, and where they are asked for. Close it."""

    def __init__(self) -> None:
        """Raises `ConfigurationError` where the extra is not installed."""
        try:
            client = extra("prometheus_client", "--metrics", "metrics")
        except MissingExtra as error:
            raise ConfigurationError(Fault(message=str(error))) from error
        self._client = client
        #: Of its own: nothing else of the process is in it.
        self.registry: Any = client.CollectorRegistry()
        self.attempts: Any = client.Counter(
            "bulkmail_attempts",
            "Tries, by the state they led to.",
            ("campaign", "server", "state", "stage", "code"),
            registry=self.registry,
        )
        self.seconds: Any = client.Histogram(
            "bulkmail_attempt_seconds",
            "Seconds from a message's composition to its result.",
            ("server",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.recipients: Any = client.Gauge(
            "bulkmail_recipients",
            "Recipients of the campaign's latest run, by state.",
            ("campaign", "state"),
            registry=self.registry,
        )
        self.usable: Any = client.Gauge(
            "bulkmail_server_usable",
            "1 while a server is used, 0 while it rests or is stopped.",
            ("server",),
            registry=self.registry,
        )
        self.waiting: Any = client.Gauge(
            "bulkmail_waiting",
            "1 while the campaign waits: for a quota, a window, a deferred recipient.",
            ("campaign",),
            registry=self.registry,
        )
        self._server: Any = None

    def serve(self, address: str) -> str:
        """Answer at ``HOST:PORT`` until `close`; the address, its port the one that was taken.

        Raises `ConfigurationError` where it is no such address, or cannot be had.
        """
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not (port.isascii() and port.isdigit() and int(port[:6]) < 1 << 16):
            message = f"--metrics {address}: an address and a port, such as 127.0.0.1:9464"
            raise ConfigurationError(Fault(message=message))
        try:
            self._server, _ = self._client.start_http_server(
                int(port), addr=host, registry=self.registry
            )
        except OSError as error:
            message = f"--metrics {address} cannot be listened on: {error.strerror or error}"
            raise ConfigurationError(Fault(message=message)) from error
        return f"{host}:{self._server.server_port}"

    def close(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def watch(self, campaign: str) -> MetricsWatch:
        """A watch of a campaign's run."""
        return MetricsWatch(self, campaign)


class MetricsWatch:
    """Watches one run, and counts."""

    def __init__(self, metrics: Metrics, campaign: str) -> None:
        self._metrics = metrics
        self._campaign = series_of(campaign)

    def announce(self, sentence: str) -> None:
        """Count nothing."""

    def checking(self, done: int, total: int | None) -> None:
        """Count nothing."""

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """Take over how the campaign stands."""
        del campaign, limit, limits
        for state in State:
            self._recipients(state).set(getattr(counts, state))

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Count one try."""
        server = attempt.server or ""
        code = "" if attempt.code is None else str(attempt.code)
        labels = self._campaign, server, str(attempt.state), attempt.stage or "", code
        self._metrics.attempts.labels(*labels).inc()
        if server:
            self._metrics.seconds.labels(server).observe(max(0.0, attempt.at - attempt.started_at))
        before = State.PENDING if delivery.first_attempt_at is None else State.DEFERRED
        self._recipients(before).dec()
        self._recipients(attempt.state).inc()

    def waiting(self, sentence: str, until: float | None) -> None:
        """Note whether it waits."""
        del until
        self._metrics.waiting.labels(self._campaign).set(1 if sentence else 0)

    def server_changed(self, server: str, sentence: str) -> None:
        """Note whether a server is used."""
        self._metrics.usable.labels(server).set(0 if sentence else 1)

    def _recipients(self, state: State) -> Any:
        return self._metrics.recipients.labels(self._campaign, str(state))
