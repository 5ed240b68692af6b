"""A worker on another host whose cable is pulled: its images go to another worker, and it comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from db import migrate
from tests.integration.conftest import MakeSite, stop
from tests.testing import object_server, postgres, valkey
from tests.testing.hosts import Hosts
from tests.testing.object_server import ObjectServer
from tests.testing.polling import wait_until
from tests.testing.postgres import PostgresServer
from tests.testing.valkey import ValkeyServer

pytestmark = pytest.mark.integration

IMAGES = 24


@pytest.fixture
def database(two_hosts: Hosts) -> Iterator[PostgresServer]:
    with postgres.serve(listen_on=two_hosts.first) as server:
        yield server


@pytest.fixture
def broker(two_hosts: Hosts) -> Iterator[ValkeyServer]:
    with valkey.serve(listen_on=two_hosts.first) as server:
        yield server


@pytest.fixture
def objects(two_hosts: Hosts) -> Iterator[ObjectServer]:
    with object_server.serve(two_hosts.first) as server:
        yield server


def test_a_host_that_is_cut_off_loses_its_images_to_others_and_joins_again(
    two_hosts: Hosts, database: PostgresServer, broker: ValkeyServer, objects: ObjectServer, make_site: MakeSite
) -> None:
    url = database.url_at(two_hosts.first, database.new_database())
    migrate.upgrade(url)
    site = make_site(url, broker.url, **objects.settings, max_attempts=10)
    site.start_sweeper()
    with two_hosts.on_second():
        site.start_worker(forward_s=0.3)
    ids = site.upload(IMAGES)
    wait_until(lambda: site.count("running") > 0 and site.count("done") > 0)

    two_hosts.unplug()
    other = site.start_worker()
    wait_until(lambda: site.count("done") == IMAGES)
    assert sorted(site.predicted()) == ids
    assert len({image.worker for image in site.images()}) == 2

    two_hosts.plug()
    assert stop(other) == 0
    more = site.upload(4, first_seed=100)
    wait_until(lambda: site.count("done") == IMAGES + 4)
    assert sorted(site.predicted()) == ids + more
