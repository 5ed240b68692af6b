"""Settings of every process, in groups by subject, from `PNEUMOSCREEN_*` environment variables: a file a group.

`load()` reads them; `settings.worker.lease_s` is the value of `PNEUMOSCREEN_LEASE_S`.
"""

from __future__ import annotations

from core.settings.environment import PREFIX, load, variables
from core.settings.limits import Limits
from core.settings.log import Log
from core.settings.queue import Queue
from core.settings.retention import Retention
from core.settings.s3 import S3
from core.settings.security import Security
from core.settings.settings import Settings
from core.settings.storage import Storage
from core.settings.web import Web
from core.settings.worker import Worker

__all__ = [
    "PREFIX",
    "S3",
    "Limits",
    "Log",
    "Queue",
    "Retention",
    "Security",
    "Settings",
    "Storage",
    "Web",
    "Worker",
    "load",
    "variables",
]
