"""What the database keeps of a batch's outcomes, and what the log says of those that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple

import structlog

from core.errors import PneumoscreenError, Transient
from db.claims import Claim
from db.outcomes import Failed, Scored
from db.states import Decision
from imaging import cam
from imaging.preprocess import Prepared
from model.decision import Prediction
from model.loaded import LoadedModel
from worker.predict import Outcome, WorkerError

Pairs = Sequence[tuple[Claim, Outcome]]

log = structlog.get_logger()


def scored(pairs: Pairs, model: LoadedModel, prepared: Mapping[int, Prepared | None]) -> list[Scored]:
    """What the database gets of the images that the model judged; `prepared` is by the id of the image."""
    return [
        _scored(claim, outcome, model, prepared[claim.image_id])
        for claim, outcome in pairs
        if isinstance(outcome, Prediction)
    ]


def failed(pairs: Pairs) -> list[Failed]:
    """What the database gets of the other images."""
    return [
        Failed(claim, outcome.code, outcome.message, isinstance(outcome, Transient))
        for claim, outcome in pairs
        if isinstance(outcome, PneumoscreenError)
    ]


def log_failures(pairs: Pairs) -> None:
    """Log each image that failed. A crash that took a whole batch has its traceback in the first line alone."""
    logged: set[int] = set()
    for claim, outcome in pairs:
        if not isinstance(outcome, PneumoscreenError):
            continue
        crashed = isinstance(outcome, WorkerError) and id(outcome) not in logged
        logged.add(id(outcome))
        log.warning(
            "image_failed",
            image_id=claim.image_id,
            code=outcome.code,
            exc_info=outcome.__cause__ if crashed else None,
        )


def _scored(claim: Claim, prediction: Prediction, model: LoadedModel, prepared: Prepared | None) -> Scored:
    decided, judged_as = model.decide(prediction), prediction.judged_as
    return Scored(
        claim,
        prediction.probability,
        Decision(decided.decision),
        prediction.ood_score,
        decided.reason,
        cam.pack(prediction.cam),
        notes=" ".join(prepared.notes) or None if prepared else None,
        box=list(astuple(prepared.box)) if prepared else None,
        preview=prepared.preview if prepared else None,
        kind=decided.kind,
        view=decided.view,
        population=judged_as.population if judged_as else None,
        population_by=judged_as.by if judged_as else None,
        threshold=model.threshold_for(prediction),
    )
