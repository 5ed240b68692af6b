"""Words that the database stores: states, priorities, decisions, roles, scopes and opinions."""

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
    """All images are finished, but fewer files arrived than were declared, and none for a minute."""
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
    """What a model is deployed for. Nobody is shown the predictions of a `shadow` model."""

    PRIMARY = "primary"
    SHADOW = "shadow"


class Role(StrEnum):
    CLINICIAN = "clinician"
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(StrEnum):
    """What an API token may be used for, within what its user may do. A token without scopes may do all of that."""

    READ = "read"
    SUBMIT = "submit"
    REVIEW = "review"
    MANAGE = "manage"


class Opinion(StrEnum):
    """What a person says of a prediction."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNSURE = "unsure"
