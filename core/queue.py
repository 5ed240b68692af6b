"""The Celery application and the doorbell. A message only wakes a worker: the database says what is to be done.

Redis does not deliver at least once (a worker killed between taking a message and noting it as unacknowledged
loses it), so nothing here has to: a doorbell lost is rung again by the sweeper, one too many finds nothing to claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.settings import Settings
from core.transport import use as use_our_transport

SCREEN_TASK = "pneumoscreen.screen"
QUEUES = ("interactive", "bulk")
"""In the order in which a worker empties them."""

PUBLISH_TIMEOUT_S = 2.0
"""An upload waits no longer than this for a broker that does not answer; the sweeper rings later."""

WRITE_TEST_KEY = "pneumoscreen:write-test"
WRITE_TEST_EXPIRY_S = 10

log = structlog.get_logger()


def make_celery(settings: Settings, *, consumer: bool = False, **overrides: Any) -> Celery:
    """The Celery application of every process; `overrides` are Celery settings (tests: `task_always_eager`).

    A consumer waits for its broker as long as it takes; whoever only publishes gives up after PUBLISH_TIMEOUT_S.
    """
    transport: dict[str, Any] = {
        "visibility_timeout": 3600,
        "queue_order_strategy": "priority",
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": PUBLISH_TIMEOUT_S,
    }
    if not consumer:
        transport |= {"socket_timeout": PUBLISH_TIMEOUT_S, "max_retries": 0}
    use_our_transport()
    app = Celery("pneumoscreen", broker=settings.queue.redis, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_default_queue=QUEUES[-1],
        task_create_missing_queues=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=transport,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        accept_content=["json"],
        task_serializer="json",
    )
    app.conf.update(overrides)
    return app


def publish(app: Celery, image_ids: Iterable[int], queue: str, chunk: int) -> list[int]:
    """Ring for `image_ids`, at most `chunk` to a message. Returns those whose doorbell the broker took.

    A broker that is down is not an error here: the rows are `queued`, and the sweeper rings for them later.
    """
    rung: list[int] = []
    for ids in _chunks(image_ids, chunk):
        try:
            # A signature runs in place when Celery is eager, which send_task never does.
            app.signature(SCREEN_TASK, args=[ids], queue=queue, retry=False).apply_async()
        except (OperationalError, redis.RedisError, OSError) as error:
            log.warning("broker_unreachable", error=type(error).__name__, images=len(ids))
            break
        rung += ids
    return rung


class CeleryPublisher:
    """The `services.publishing.Publisher` of a process that has a Celery application."""

    def __init__(self, app: Celery, images_per_message: int) -> None:
        self._app = app
        self._images_per_message = images_per_message

    def publish(self, image_ids: Sequence[int], queue: str) -> list[int]:
        return publish(self._app, image_ids, queue, self._images_per_message)


def _chunks(ids: Iterable[int], size: int) -> Iterable[list[int]]:
    iterator = iter(ids)
    while chunk := list(islice(iterator, size)):
        yield chunk


def depth(client: redis.Redis, queues: Sequence[str] = QUEUES) -> int:
    """Messages waiting in the broker. Raises redis.RedisError."""
    return sum(int(client.llen(queue)) for queue in queues)


def takes_writes(client: redis.Redis) -> bool:
    """Whether the broker stores a message now. One that has reached its `maxmemory` answers PING and refuses writes.

    Ends within PUBLISH_TIMEOUT_S when `client` is from `connect`.
    """
    try:
        return bool(client.set(WRITE_TEST_KEY, b"", ex=WRITE_TEST_EXPIRY_S))
    except redis.RedisError:
        return False


def connect(settings: Settings) -> redis.Redis:
    """A client of the broker for health checks and depth; it fails fast instead of waiting.

    A connection that the broker has closed is made anew once; a broker that is silent is not asked a second time.
    """
    url = settings.queue.redis.replace("redis+socket://", "unix://", 1)
    return redis.Redis.from_url(
        url,
        socket_timeout=PUBLISH_TIMEOUT_S,
        socket_connect_timeout=PUBLISH_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
