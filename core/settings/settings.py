"""`Settings`: all groups together."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from core.settings.limits import Limits
from core.settings.log import Log
from core.settings.queue import Queue
from core.settings.retention import Retention
from core.settings.s3 import S3
from core.settings.security import Security
from core.settings.storage import Storage
from core.settings.web import Web
from core.settings.worker import Worker

IMAGES_PER_MESSAGE = 16


class Settings(BaseModel):
    """Every setting of every process, by subject. Names carry their unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    storage: Storage = Storage()
    s3: S3 = S3()
    limits: Limits = Limits()
    queue: Queue = Queue()
    worker: Worker = Worker()
    web: Web = Web()
    security: Security = Security()
    retention: Retention = Retention()
    log: Log = Log()

    @property
    def images_per_message(self) -> int:
        """How many images one message is for. Any number would do: a worker that wakes takes all that is queued."""
        return self.worker.batch_size or IMAGES_PER_MESSAGE
