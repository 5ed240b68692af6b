"""A firewall drops the packets of the database: no request hangs, a worker ends when told to, and later all goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from db import migrate
from tests.integration.conftest import MakeSite, Site
from tests.testing import postgres, valkey
from tests.testing.frozen_link import Link, link
from tests.testing.hosts import Hosts
from tests.testing.polling import wait_until
from tests.testing.postgres import PostgresServer
from tests.testing.valkey import ValkeyServer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ENOUGH_S = 60.0
"""TCP gives up after 75 s or more: what ends within this had a limit of its own. The limits are 15 to 25 s."""


@pytest.fixture
def to_database(
    postgresql: PostgresServer, postgresql_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Link, str]]:
    """A link, and the database's URL behind it."""
    socket = f".s.PGSQL.{postgresql.port}"
    place = tmp_path_factory.mktemp("l")
    with link(place / socket, postgresql.directory / socket) as made:
        yield made, postgresql_url.replace(str(postgresql.directory), str(place))


@pytest.fixture
def site(make_site: MakeSite, to_database: tuple[Link, str], broker: ValkeyServer) -> Site:
    return make_site(to_database[1], broker.url)


def test_nobody_hangs_in_a_silent_database_and_all_goes_on_when_it_is_back(
    site: Site, to_database: tuple[Link, str]
) -> None:
    ids = site.upload(2)
    site.start_sweeper()
    leaving, staying = site.start_worker(), site.start_worker()
    wait_until(lambda: site.count("done") == 2, timeout_s=60)

    to_database[0].freeze()
    started_at_s = time.monotonic()
    leaving.terminate()
    assert site.client.get("/api/v1/jobs/1").status_code == 503
    assert time.monotonic() - started_at_s < ENOUGH_S
    leaving.wait(timeout=ENOUGH_S)
    assert staying.poll() is None

    to_database[0].thaw()
    ids += site.upload(2, first_seed=100)
    wait_until(lambda: site.count("done") == 4, timeout_s=ENOUGH_S)
    assert sorted(site.predicted()) == ids


def test_a_worker_whose_cable_is_pulled_ends_when_it_is_told_to(two_hosts: Hosts, make_site: MakeSite) -> None:
    with (
        postgres.serve(listen_on=two_hosts.first) as server,
        valkey.serve(listen_on=two_hosts.first) as far_broker,
    ):
        url = server.url_at(two_hosts.first, server.new_database())
        migrate.upgrade(url)
        site = make_site(url, far_broker.url)
        with two_hosts.on_second():
            worker = site.start_worker(forward_s=0.5)
        site.upload(24)
        wait_until(lambda: site.count("running") > 0, timeout_s=60)
        two_hosts.unplug()
        worker.terminate()
        worker.wait(timeout=ENOUGH_S)
        two_hosts.plug()
        site.start_sweeper()
        site.start_worker()
        wait_until(lambda: site.count("done") == 24, timeout_s=60)
        assert len(site.predicted()) == 24
