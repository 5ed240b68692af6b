"""How a worker's work on an image ends: with a prediction, or with an error.

As in `db.jobs`, each state change is one conditional UPDATE, the caller owns the transaction, and a condition that no
longer holds is never an error: the worker has lost its lease, and somebody else works on the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, case, cast, exists, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from core.kinds import ImageKind, View
from core.populations import Population, PopulationBy
from db import previews
from db.claims import Claim
from db.states import Decision, ImageState
from db.tables import UNJUDGED, Image, Prediction, Review, state_is

MODEL_DIGITS = 12
"""Of a model's sha256, as lists show it."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model said of one image; `cam` as `imaging.cam.pack` makes it, the rest as `db.tables` has it.

    `threshold` None: the model's for all images was applied.
    """

    claim: Claim
    probability: float
    decision: Decision
    ood_score: float | None = None
    reason: str | None = None
    cam: bytes | None = None
    notes: str | None = None
    box: list[int] | None = None
    preview: bytes | None = None
    kind: ImageKind | None = None
    view: View | None = None
    population: Population | None = None
    population_by: PopulationBy | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """`transient`: back to the queue while attempts are left."""

    claim: Claim
    code: str
    message: str
    transient: bool


def finish(
    session: Session,
    scored: Sequence[Scored],
    *,
    model_sha256: str,
    threshold: float,
    ood_limit: float | None = None,
    worker: str,
    now: datetime,
) -> int:
    """Write predictions and set their images to `done`; return how many images the worker still held.

    The prediction of each image becomes its primary one. `threshold` is the model's for all images.
    """
    if not scored:
        return 0
    ours = _lock_running(session, [s.claim for s in scored], worker)
    scored = [s for s in scored if s.claim.image_id in ours]
    if not scored:
        return 0
    common = {"model_sha256": model_sha256, "ood_limit": ood_limit, "created_at": now}
    session.execute(insert(Prediction), [_row(s, threshold) | common for s in scored])
    _leave_running(
        session,
        (Image.id.in_(ours)) & (Prediction.image_id == Image.id) & (Prediction.model_sha256 == model_sha256),
        state=ImageState.DONE,
        primary_prediction_id=Prediction.id,
        decision=cast(Prediction.decision, Image.decision.type),
        view=cast(Prediction.view, Image.view.type),
        suspicion_rank=_suspicion_rank(),
        model=func.substr(Prediction.model_sha256, 1, MODEL_DIGITS),
        opinion=None,
        finished_at=now,
    )
    previews.keep(session, {s.claim.sha256: s.preview for s in scored if s.preview}, now)
    return len(scored)


def fail(session: Session, failed: Failed, *, worker: str, max_attempts: int, now: datetime) -> None:
    """Record what went wrong with one image: `failed`, or `queued` again if it is transient with attempts left."""
    error = {"error_code": failed.code, "error_message": failed.message[:500]}
    held = _held([failed.claim], worker)
    tries = failed.claim.attempt - failed.claim.crashes  # attempts that ended in a crash have a limit of their own
    if failed.transient and tries < max_attempts:
        _leave_running(session, held, state=ImageState.QUEUED, published_at=None, **error)
    else:
        _leave_running(session, held, state=ImageState.FAILED, finished_at=now, **error)


def name_primary_predictions(session: Session, *, limit: int = 1000) -> int:
    """Set the primary prediction of images that a worker of the release before has finished; how many."""
    newest = select(func.max(Prediction.id)).where(Prediction.image_id == Image.id).scalar_subquery()
    without_primary = (
        select(Image.id)
        .where(state_is(ImageState.DONE), Image.primary_prediction_id.is_(None))
        .where(exists().where(Prediction.image_id == Image.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    named = session.scalars(
        update(Image)
        .where(Image.id.in_(without_primary))
        .values(primary_prediction_id=newest)
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(named)


def fill_in_for_lists(session: Session, *, limit: int = 1000) -> int:
    """Set what lists show of images that a worker of the release before has finished; how many."""
    without = select(Image.id).where(state_is(ImageState.DONE), Image.model.is_(None))
    some = without.where(Image.primary_prediction_id.is_not(None)).limit(limit).with_for_update(skip_locked=True)
    of_primary = Review.prediction_id == Image.primary_prediction_id
    last_opinion = select(Review.opinion).where(of_primary).order_by(Review.id.desc()).limit(1).scalar_subquery()
    filled = session.scalars(
        update(Image)
        .where(Image.id.in_(some.scalar_subquery()), Prediction.id == Image.primary_prediction_id)
        .values(
            suspicion_rank=_suspicion_rank(),
            model=func.substr(Prediction.model_sha256, 1, MODEL_DIGITS),
            opinion=cast(last_opinion, Image.opinion.type),
        )
        .returning(Image.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(filled)


def _suspicion_rank() -> ColumnElement[float]:
    return case((Prediction.decision == Decision.REFUSED, UNJUDGED), else_=-Prediction.probability)


def _row(scored: Scored, common_threshold: float) -> dict[str, Any]:
    return {
        "image_id": scored.claim.image_id,
        "probability": scored.probability,
        "threshold": common_threshold if scored.threshold is None else scored.threshold,
        "decision": scored.decision,
        "ood_score": scored.ood_score,
        "reason": scored.reason,
        "cam": scored.cam,
        "notes": scored.notes,
        "box": scored.box,
        "kind": scored.kind,
        "view": scored.view,
        "population": scored.population,
        "population_by": scored.population_by,
    }


def _held(claims: Sequence[Claim], worker: str) -> ColumnElement[bool]:
    """The images of these claims that `worker` still holds. It has lost the leases of the others."""
    return (
        state_is(ImageState.RUNNING)
        & (Image.worker == worker)
        & tuple_(Image.id, Image.attempt).in_([(c.image_id, c.attempt) for c in claims])
    )


def _lock_running(session: Session, claims: Sequence[Claim], worker: str) -> set[int]:
    """Lock the images of these claims that `worker` still holds; their ids."""
    return set(session.scalars(select(Image.id).where(_held(claims, worker)).with_for_update()))


def _leave_running(session: Session, condition: ColumnElement[bool], **values: Any) -> None:
    cleared = {"lease_expires_at": None, "error_code": None, "error_message": None}
    session.execute(
        update(Image).where(condition).values(cleared | values).execution_options(synchronize_session=False)
    )
