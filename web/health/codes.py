"""The codes of findings, on which machines may rely, and how severe each of them is."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    DATABASE_DOWN = "database_down"
    BROKER_DOWN = "broker_down"
    STORAGE_MISSING = "storage_missing"
    STORAGE_FOREIGN = "storage_foreign"
    STORAGE_DOWN = "storage_down"
    DISK_FULL = "disk_full"
    DISK_NEARLY_FULL = "disk_nearly_full"
    QUEUE_FULL = "queue_full"
    QUEUE_NEARLY_FULL = "queue_nearly_full"
    NO_WORKER = "no_worker"
    WORKERS_PAUSED = "workers_paused"
    WORKER_PAUSED = "worker_paused"
    WORKERS_GONE = "workers_gone"
    STUCK = "stuck"
    SLOW = "slow"
    SWEEPER_STOPPED = "sweeper_stopped"
    MODEL_UNREADABLE = "model_unreadable"
    MODEL_NOT_LOADED = "model_not_loaded"
    MODEL_UNUSED = "model_unused"
    MIXED_MODELS = "mixed_models"
    MANY_FAILURES = "many_failures"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


ERRORS = frozenset(
    {
        Code.DATABASE_DOWN,
        Code.BROKER_DOWN,
        Code.STORAGE_MISSING,
        Code.STORAGE_FOREIGN,
        Code.STORAGE_DOWN,
        Code.DISK_FULL,
        Code.QUEUE_FULL,
        Code.NO_WORKER,
        Code.WORKERS_PAUSED,
        Code.STUCK,
    }
)
"""These stop the service from taking images or from screening them; all others are warnings."""

STOP_SCREENING_ALONE = frozenset({Code.NO_WORKER, Code.WORKERS_PAUSED, Code.STUCK})
"""Errors that stop screening but not uploads: images are accepted, and wait."""
