"""Messages through a real broker to a real worker process: everything is screened, and once."""

from __future__ import annotations

import signal
import time

import pytest

from core.queue import depth
from tests.integration.conftest import Site, stop
from tests.testing import factories
from tests.testing.polling import wait_until
from tests.testing.valkey import ValkeyServer

pytestmark = pytest.mark.integration


def test_a_worker_takes_messages_from_both_queues(site: Site) -> None:
    site.start_worker()
    ids = site.upload(9) + site.upload(3, priority="interactive", first_seed=100)
    wait_until(lambda: site.count("done") == 12)
    assert sorted(site.predicted()) == ids
    wait_until(lambda: depth(site.backends.broker) == 0)


def test_what_waits_when_a_worker_starts_is_screened_interactive_first(site: Site) -> None:
    bulk = site.upload(10)
    interactive = site.upload(4, priority="interactive", first_seed=100)
    site.start_worker()
    wait_until(lambda: site.count("done") == 14)
    assert site.predicted() == interactive + bulk


def test_an_interactive_image_preempts_a_bulk_job_in_work(site: Site) -> None:
    bulk = site.upload(40)
    site.start_worker(forward_s=0.1)
    wait_until(lambda: site.count("done") > 0)
    (urgent,) = site.upload(1, priority="interactive", first_seed=100)
    wait_until(lambda: site.count("done") == 41)
    assert site.predicted().index(urgent) < 30
    assert sorted(site.predicted()) == [*bulk, urgent]


def test_a_broker_away_in_the_middle_of_a_job_costs_no_image_and_screens_none_twice(
    site: Site, broker: ValkeyServer
) -> None:
    site.start_worker(forward_s=0.05)
    site.start_sweeper()
    ids = site.upload(30)
    wait_until(lambda: site.count("done") > 0)
    broker.stop()
    ids += site.upload(10, first_seed=100)
    assert any(image.published_at is None for image in site.images())
    broker.start()
    ids += site.upload(5, first_seed=200)
    wait_until(lambda: site.count("done") == 45)
    assert sorted(site.predicted()) == ids


def test_sigterm_finishes_the_batch_in_work_and_leaves_the_rest_queued(site: Site) -> None:
    site.upload(40)
    worker = site.start_worker(forward_s=0.3)
    wait_until(lambda: site.count("running") > 0)
    assert stop(worker) == 0
    assert site.count("running") == 0
    assert site.count("done") + site.count("queued") == 40
    assert len(site.predicted()) == site.count("done") > 0
    assert site.workers() == 0


def test_the_images_of_a_killed_worker_are_screened_by_the_next_one_once(site: Site) -> None:
    ids = site.upload(16)
    killed = site.start_worker(forward_s=30)
    wait_until(lambda: site.count("running") > 0)
    stop(killed, signal.SIGKILL)
    site.start_sweeper()
    site.start_worker()
    wait_until(lambda: site.count("done") == 16)
    assert sorted(site.predicted()) == ids
    assert max(image.attempt for image in site.images()) == 2


def test_a_poison_image_ends_alone_as_failed_and_its_mates_are_screened(site: Site) -> None:
    """The worker dies of it wherever it meets it; somebody starts it again each time, as the launcher would."""
    poison = factories.png(brightness=1.0, size_px=(16, 16))
    ids = site.upload(10, poison={5: poison})
    site.start_sweeper()
    deaths = 0
    deadline_s = time.monotonic() + 120
    worker = site.start_worker(wait=False)
    while site.count("done") + site.count("failed") < 10:
        assert time.monotonic() < deadline_s
        if worker.poll() is not None:
            deaths += 1
            worker = site.start_worker(wait=False)
        time.sleep(0.05)
    failed = [image for image in site.images() if image.state == "failed"]
    assert [image.id for image in failed] == [ids[5]]
    assert (failed[0].error_code, failed[0].crashes) == ("attempts_exhausted", 3)
    assert sorted(site.predicted()) == ids[:5] + ids[6:]
    assert deaths == 3


def test_two_workers_share_a_job(site: Site) -> None:
    site.start_worker(forward_s=0.05)
    site.start_worker(forward_s=0.05)
    ids = site.upload(60)
    wait_until(lambda: site.count("done") == 60)
    assert sorted(site.predicted()) == ids
    assert len({image.worker for image in site.images()}) == 2


def test_workers_may_join_and_leave_in_the_middle_of_a_job(site: Site) -> None:
    first = site.start_worker(forward_s=0.5)
    ids = site.upload(80)  # ten seconds of work for one, which the other is there well before
    wait_until(lambda: site.count("done") > 0)
    site.start_worker(forward_s=0.1)
    assert stop(first) == 0
    wait_until(lambda: site.count("done") == 80)
    assert sorted(site.predicted()) == ids
    assert len({image.worker for image in site.images()}) == 2
    assert {image.attempt for image in site.images()} == {1}
