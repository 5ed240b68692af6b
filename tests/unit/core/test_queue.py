"""Messages: in chunks, on the right queue, and never a reason for an upload to fail or to hang."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis
from celery import Celery
from pydantic import SecretStr

from core.queue import QUEUES, SCREEN_TASK, connect, depth, make_celery, publish, takes_writes
from core.settings import Settings
from tests.testing import valkey
from tests.testing.settings import make_settings


@pytest.fixture
def in_memory() -> Iterator[Celery]:
    app = make_celery(Settings(), broker_url="memory://")
    for queue in QUEUES:
        messages(app, queue)  # the broker in memory is one for the whole process: others have published before
    yield app
    app.close()


def messages(app: Celery, queue: str) -> list[list[int]]:
    """Take all messages off `queue`: the ids of each."""
    with app.connection_for_read() as connection, connection.SimpleQueue(queue) as waiting:
        taken = [waiting.get_nowait() for _ in range(waiting.qsize())]
    for message in taken:
        message.ack()
    return [json.loads(message.body)[0][0] for message in taken]


def app_at(url: str) -> Celery:
    return make_celery(make_settings(redis_url=SecretStr(url)))


def test_ids_are_rung_for_in_chunks_and_in_order(in_memory: Celery) -> None:
    assert publish(in_memory, range(1, 6), "bulk", 2) == [1, 2, 3, 4, 5]
    assert messages(in_memory, "bulk") == [[1, 2], [3, 4], [5]]


def test_a_doorbell_goes_to_the_queue_it_is_for(in_memory: Celery) -> None:
    publish(in_memory, [1], "interactive", 16)
    publish(in_memory, [2], "bulk", 16)
    assert [messages(in_memory, queue) for queue in QUEUES] == [[[1]], [[2]]]


def test_no_ids_ring_no_doorbell(in_memory: Celery) -> None:
    assert publish(in_memory, [], "bulk", 16) == []
    assert messages(in_memory, "bulk") == []


def test_an_eager_application_runs_the_task_in_place() -> None:
    app = make_celery(Settings(), task_always_eager=True)
    seen: list[list[int]] = []

    def note(ids: list[int]) -> None:
        seen.append(ids)

    app.task(name=SCREEN_TASK, shared=False)(note)
    publish(app, [1, 2, 3], "bulk", 2)
    assert seen == [[1, 2], [3]]


def test_a_broker_that_refuses_is_given_up_at_once_and_raises_nothing(tmp_path: Path) -> None:
    started_at_s = time.monotonic()
    assert publish(app_at(f"redis+socket://{tmp_path}/absent.sock"), [1, 2], "bulk", 1) == []
    assert time.monotonic() - started_at_s < 60


def test_a_broker_that_never_answers_is_given_up_in_time_and_raises_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        started_at_s = time.monotonic()
        assert publish(app_at(url), [1, 2], "bulk", 1) == []
        assert time.monotonic() - started_at_s < 60


def test_a_broker_that_dies_between_two_chunks_gives_back_those_rung() -> None:
    app = make_celery(Settings(), task_always_eager=True, task_eager_propagates=True)

    def dying(ids: list[int]) -> None:
        if ids[0] > 2:
            raise redis.ConnectionError("gone")

    app.task(name=SCREEN_TASK, shared=False)(dying)
    assert publish(app, range(1, 7), "bulk", 2) == [1, 2]


def test_only_who_publishes_has_a_time_limit() -> None:
    publisher = make_celery(Settings()).conf.broker_transport_options
    consumer = make_celery(Settings(), consumer=True).conf.broker_transport_options
    assert publisher["socket_timeout"] == 2
    assert "socket_timeout" not in consumer


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", True),
        ("task_ignore_result", True),
        ("worker_prefetch_multiplier", 1),
        ("accept_content", ["json"]),
        ("task_default_queue", "bulk"),
    ],
)
def test_a_message_is_acknowledged_late_and_carries_only_json(name: str, value: Any) -> None:
    assert make_celery(Settings()).conf[name] == value


def test_depth_counts_the_messages_of_both_queues() -> None:
    broker = fakeredis.FakeRedis()
    broker.rpush("interactive", "a")
    broker.rpush("bulk", "b", "c")
    broker.rpush("other", "d")
    assert depth(broker) == 3


def test_depth_of_a_broker_that_is_down_raises(tmp_path: Path) -> None:
    client = connect(make_settings(redis_url=SecretStr(f"redis+socket://{tmp_path}/absent.sock")))
    with pytest.raises(redis.RedisError):
        depth(client)


def test_a_health_check_of_a_silent_broker_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect(make_settings(redis_url=SecretStr(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")))
        started_at_s = time.monotonic()
        with pytest.raises(redis.RedisError):
            client.ping()
        assert time.monotonic() - started_at_s < 60


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    with valkey.serve() as server:
        client = connect(make_settings(redis_url=SecretStr(server.url)))
        yield client
        client.close()


def test_a_broker_that_answers_but_has_no_memory_left_takes_no_writes(broker: redis.Redis) -> None:
    assert takes_writes(broker)
    broker.config_set("maxmemory", 1)
    assert broker.ping()
    assert not takes_writes(broker)
    broker.config_set("maxmemory", 0)
    assert takes_writes(broker)


def test_a_write_test_leaves_nothing_behind(broker: redis.Redis) -> None:
    takes_writes(broker)
    assert [0 < broker.ttl(key) <= 10 for key in broker.scan_iter()] == [True]


def test_a_broker_that_is_silent_or_absent_takes_no_writes(tmp_path: Path) -> None:
    assert not takes_writes(connect(make_settings(redis_url=SecretStr(f"redis+socket://{tmp_path}/absent.sock"))))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = connect(make_settings(redis_url=SecretStr(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")))
        started_at_s = time.monotonic()
        assert not takes_writes(client)
        assert time.monotonic() - started_at_s < 60
