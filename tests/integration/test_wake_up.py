"""An upload is screened at once however slow the writes of `published_at` are, and soon after without a broker."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.queue import depth, takes_writes
from tests.integration.conftest import MakeSite, Site, stop
from tests.testing import slow_stamp
from tests.testing.polling import wait_until
from tests.testing.valkey import ValkeyServer

pytestmark = pytest.mark.integration

NEVER_S = 3600.0
"""As `idle_check_s`: only a message wakes the worker."""


@pytest.fixture
def slow(make_site: MakeSite, postgresql_url: str, broker: ValkeyServer) -> Site:
    """Each UPDATE that names `published_at` holds its rows for two seconds; no sweeper runs."""
    site = make_site(postgresql_url, broker.url, idle_check_s=NEVER_S)
    slow_stamp.begin(site.database, 2)
    return site


def retried(site: Site) -> list[int]:
    """Cancelled and then retried: the images of a job are queued again."""
    ids = site.upload(2)
    (job_id,) = {image.job_id for image in site.images()}
    site.client.post(f"/api/v1/jobs/{job_id}/cancel")
    site.start_worker()
    assert site.client.post(f"/api/v1/jobs/{job_id}/retry").get_json()["changed"] == 2
    return ids


def uploaded(site: Site) -> list[int]:
    site.start_worker()
    return site.upload(1, priority="interactive")


@pytest.mark.parametrize("queue", [uploaded, retried])
def test_a_slow_stamp_hides_no_image_from_the_worker_that_its_message_wakes(
    slow: Site, queue: Callable[[Site], list[int]]
) -> None:
    ids = queue(slow)
    wait_until(lambda: slow.count("done") == len(ids), timeout_s=30)
    assert slow.predicted() == ids


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_broker_that_refuses_writes_costs_no_image_and_is_used_again_afterwards(site: Site, when: str) -> None:
    """It is full before the worker starts, or afterwards."""
    worker = site.start_worker() if when == "after" else None
    site.backends.broker.config_set("maxmemory", 1)
    assert not takes_writes(site.backends.broker)
    worker = worker or site.start_worker()
    ids = site.upload(3)
    wait_until(lambda: site.count("done") == 3, timeout_s=60)
    site.backends.broker.config_set("maxmemory", 0)
    more = site.upload(3, first_seed=100)
    wait_until(lambda: site.count("done") == 6, timeout_s=60)
    assert sorted(site.predicted()) == ids + more
    published = [image.published_at is not None for image in site.images()]
    assert published == [False] * 3 + [True] * 3
    wait_until(lambda: depth(site.backends.broker) == 0, timeout_s=60)
    assert worker.poll() is None  # it was not started again


@pytest.mark.parametrize("how", ["paused", "stopped"])
def test_a_worker_starts_screens_and_ends_without_its_broker(site: Site, broker: ValkeyServer, how: str) -> None:
    """One that is paused takes connections and answers nothing."""
    ids = site.upload(3)
    broker.pause() if how == "paused" else broker.stop()
    worker = site.start_worker()
    ids += site.upload(2, first_seed=100)
    wait_until(lambda: site.count("done") == 5, timeout_s=60)
    assert sorted(site.predicted()) == ids
    assert stop(worker) == 0
    assert site.workers() == 0
