"""What Prometheus is told: figures, and nobody's address."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator

import pytest
from support.watching import attempt, delivery

from bulkmail.errors import ConfigurationError
from bulkmail.fate import Counts, State
from bulkmail.report.metrics import Metrics


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    made = Metrics()
    yield made
    made.close()


def asked(metrics: Metrics) -> str:
    """What the page says."""
    at = metrics.serve("127.0.0.1:0")
    with urllib.request.urlopen(f"http://{at}/metrics", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def test_tries_are_counted_under_their_series_and_nobodys_address(metrics: Metrics) -> None:
    watch = metrics.watch("offer@20261201T010000Z")
    watch.begin("offer@20261201T010000Z", Counts(pending=2, deferred=1), 3)
    watch.attempted(delivery(), attempt())
    watch.attempted(delivery(), attempt(State.FAILED, code=550))
    watch.attempted(delivery(tried_before=True), attempt())

    page = asked(metrics)

    count = 'bulkmail_attempts_total{campaign="offer",code="250",server="primary",'
    assert count + 'stage="end of data",state="sent"} 2.0' in page
    assert 'bulkmail_recipients{campaign="offer",state="sent"} 2.0' in page
    assert 'bulkmail_recipients{campaign="offer",state="pending"} 0.0' in page
    assert 'bulkmail_recipients{campaign="offer",state="deferred"} 0.0' in page
    assert 'bulkmail_attempt_seconds_count{server="primary"} 3.0' in page
    assert "chen.jie" not in page
    assert "2026" not in page.replace("_created", "")


def test_waits_and_servers_are_told(metrics: Metrics) -> None:
    watch = metrics.watch("offer")
    watch.waiting("greylisted", 1.0)
    watch.server_changed("primary", "unreachable")
    watch.server_changed("backup", "")

    page = asked(metrics)

    assert 'bulkmail_waiting{campaign="offer"} 1.0' in page
    assert 'bulkmail_server_usable{server="primary"} 0.0' in page
    assert 'bulkmail_server_usable{server="backup"} 1.0' in page


@pytest.mark.parametrize("address", ["9464", ":9464", "127.0.0.1:x", "127.0.0.1:70000", "a:b:"])
def test_what_is_no_address_is_a_sentence(metrics: Metrics, address: str) -> None:
    with pytest.raises(ConfigurationError, match="--metrics"):
        metrics.serve(address)


def test_a_port_that_is_taken_is_a_sentence(metrics: Metrics) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="cannot be listened on"):
            metrics.serve(f"127.0.0.1:{port}")
