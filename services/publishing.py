"""Messages that wake the workers for queued images. The database says the same: a lost message loses no image."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import jobs
from db.session import Database
from db.states import Priority

log = structlog.get_logger()


class Publisher(Protocol):
    """Puts messages on the broker; `core.queue.CeleryPublisher` is the real one."""

    def publish(self, image_ids: Sequence[int], queue: str) -> Collection[int]:
        """Send messages that name `image_ids`; return those that the broker took. A broker that is down took none."""
        ...


def publish(database: Database, publisher: Publisher, image_ids: Sequence[int], priority: Priority) -> None:
    """Wake the workers for images that are committed and stamped as published.

    Images that the broker does not take lose their stamp, and the sweeper publishes them.
    """
    taken = set(publisher.publish(image_ids, priority))
    refused = [image_id for image_id in image_ids if image_id not in taken]
    if not refused:
        return
    try:
        with database.begin() as session:
            jobs.unpublish(session, refused)
    except SQLAlchemyError as error:
        # Not an error of the request: its images are committed, and an idle worker finds them.
        log.warning("unpublish_failed", error=type(error).__name__, images=len(refused))
