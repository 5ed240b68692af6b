"""A message that nobody can read ends no worker. The broker is a real one, since Kombu's reading is tested."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from kombu.exceptions import ContentDisallowed
from kombu.messaging import Consumer
from pydantic import SecretStr

from core.queue import QUEUES, SCREEN_TASK, connect, make_celery, publish
from core.settings import Settings
from core.transport import Transport
from tests.testing import valkey
from tests.testing.settings import make_settings

JUNK = (b"", b"\x00\xff", b"not json", b"[]", b"{}", b"null", b'"text"', b'{"body": 1}', b'{"properties": {}}')


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with valkey.serve() as server:
        yield make_settings(redis_url=SecretStr(server.url), secret_key=SecretStr("only for this test"))


def receive(app: Celery, count: int) -> list[Any]:
    """The bodies of the next `count` messages, taken off the broker as a worker takes them."""
    bodies: list[Any] = []

    def note(body: Any, message: Any) -> None:
        bodies.append(body)
        message.ack()

    with app.connection_for_read() as connection, connection.channel() as channel:
        assert isinstance(connection.transport, Transport)
        queues = [app.amqp.queues[name] for name in QUEUES]
        with Consumer(channel, queues, callbacks=[note], accept=["json"]):  # type: ignore[no-untyped-call]  # no types
            while len(bodies) < count:
                connection.drain_events(timeout=120)
    return bodies


def test_messages_behind_junk_arrive(settings: Settings) -> None:
    app = make_celery(settings)
    with connect(settings) as broker:
        broker.lpush("bulk", *JUNK)
        app.signature(SCREEN_TASK, args=[[1, 2]], queue="bulk").apply_async()
        broker.lpush("bulk", *JUNK)
        publish(app, [3], "bulk", 1)
        assert [body[0] for body in receive(app, 2)] == [[[1, 2]], [[3]]]
        assert broker.llen("bulk") == 0


def test_a_pickle_is_refused(settings: Settings) -> None:
    """Not unpacked, which would run its code, and an error of the one message: Celery discards it and goes on."""
    app = make_celery(settings)
    properties = {"delivery_tag": "t", "delivery_info": {"exchange": "", "routing_key": "bulk"}}
    message = {"body": "!", "content-type": "application/x-python-serialize", "content-encoding": "binary"}
    with connect(settings) as broker:
        broker.lpush("bulk", json.dumps(message | {"headers": {}, "properties": properties}))
    with pytest.raises(ContentDisallowed):
        receive(app, 1)
