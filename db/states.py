"""The states of an image and of a job, and the words a decision can be."""

from __future__ import annotations

from enum import StrEnum


class ImageState(StrEnum):
    """`queued -> running -> done | failed`; `running -> queued` (lease lost, attempts left); `queued -> cancelled`.

    A retry asked for by a person: `failed | cancelled -> queued`.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_STATES = frozenset({ImageState.DONE, ImageState.FAILED, ImageState.CANCELLED})


class JobState(StrEnum):
    """Derived from a job's images, never stored."""

    EMPTY = "empty"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    INCOMPLETE = "incomplete"
    """All that came is finished, but fewer files came than were declared, and none for a while."""
    CANCELLED = "cancelled"


class Priority(StrEnum):
    """Also the name of the queue. `interactive` goes first."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Decision(StrEnum):
    NORMAL = "normal"
    PNEUMONIA = "pneumonia"
    REFUSED = "refused"


class ModelRole(StrEnum):
    """What a deployed model is for: the prediction of a `shadow` model is shown to nobody."""

    PRIMARY = "primary"
    SHADOW = "shadow"


class Role(StrEnum):
    CLINICIAN = "clinician"
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(StrEnum):
    """What an API token may be used for, within what its user may do. A token without scopes may all of that."""

    READ = "read"
    SUBMIT = "submit"
    REVIEW = "review"
    MANAGE = "manage"


class Opinion(StrEnum):
    """What a person says of a prediction."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNSURE = "unsure"
