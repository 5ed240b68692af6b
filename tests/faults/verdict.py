"""What became of every image of a run: the invariant, checked in the database and in the blob store."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from db.states import FINAL_STATES, ImageState
from db.tables import Image, Job, Prediction
from tests.faults.load import Ledger
from tests.faults.stack import Stack


@dataclass
class Verdict:
    """Of one run. `problems` is empty when the invariant held."""

    images: int = 0
    lost: int = 0
    duplicated: int = 0
    recovery_s: float = 0.0
    problems: list[str] = field(default_factory=list)


def wait_until_final(stack: Stack, image_ids: Collection[int], *, timeout_s: float) -> float | None:
    """Seconds until every one of these has ended; None when some have not within `timeout_s`."""
    started_at = time.monotonic()
    while _unfinished(stack, image_ids) != 0:
        if time.monotonic() - started_at > timeout_s:
            return None
        time.sleep(0.02)
    return time.monotonic() - started_at


def _unfinished(stack: Stack, image_ids: Collection[int]) -> int | None:
    query = select(func.count()).where(Image.id.in_(image_ids), Image.state.in_(FINAL_STATES))
    try:
        with stack.database.read() as session:
            return len(image_ids) - session.scalars(query).one()
    except SQLAlchemyError:
        return None


def stored(stack: Stack, names: Collection[str]) -> dict[str, int]:
    """Those of the file names that have a row, and the id of it."""
    with stack.database.read() as session:
        rows = session.execute(select(Image.filename, Image.id).where(Image.filename.in_(names)))
        return {row.filename: row.id for row in rows}


def judge(stack: Stack, ledger: Ledger, may_fail: dict[str, str], verdict: Verdict) -> list[Image]:
    """Add to `verdict` what does not hold. `may_fail`: the error code with which a file of this name has to end."""
    with stack.database.read() as session:
        rows = list(session.scalars(select(Image).where(Image.id.in_(ledger.accepted.values())).order_by(Image.id)))
        named = Counter(session.scalars(select(Image.filename).where(Image.filename.in_(ledger.accepted))))
        predictions = Counter(
            session.scalars(select(Prediction.image_id).where(Prediction.image_id.in_(ledger.accepted.values())))
        )
        empty_jobs = session.scalars(
            select(func.count()).select_from(Job).where(~select(Image.id).where(Image.job_id == Job.id).exists())
        ).one()
    verdict.images = len(ledger.accepted)
    missing = set(ledger.accepted.values()) - {row.id for row in rows}
    verdict.lost += len(missing)
    verdict.problems += [f"image {image_id} was accepted and has no row" for image_id in missing]
    for row in rows:
        _judge_image(row, predictions[row.id], may_fail.get(row.filename), verdict)
    doubled = sum(count - 1 for count in named.values())
    verdict.duplicated += doubled
    if doubled:
        verdict.problems.append(f"{doubled} files have more than one row")
    if empty_jobs:
        verdict.problems.append(f"{empty_jobs} jobs without an image were left behind")
    return rows


def _judge_image(row: Image, predictions: int, expected_error: str | None, verdict: Verdict) -> None:
    what = f"image {row.id} ({row.state}, attempt {row.attempt}, {row.error_code}: {row.error_message})"
    if expected_error is not None:
        if (row.state, row.error_code, predictions) != (ImageState.FAILED, expected_error, 0) or not row.error_message:
            verdict.problems.append(f"{what} should have failed with {expected_error}")
    elif row.state is not ImageState.DONE or predictions == 0:
        verdict.lost += 1
        verdict.problems.append(f"{what} has {predictions} predictions and should be done with one")
    elif predictions > 1:
        verdict.duplicated += predictions - 1
        verdict.problems.append(f"{what} has {predictions} predictions")


def judge_storage(stack: Stack, verdict: Verdict) -> None:
    """Every row has its bytes. (Bytes without a row may be there; the sweeper removes them a day later.)"""
    with stack.database.read() as session:
        wanted = set(session.scalars(select(Image.sha256)))
    there = {path.name for path in stack.settings.storage.blobs.glob("[0-9a-f][0-9a-f]/*")}
    if wanted - there:
        verdict.lost += len(wanted - there)
        verdict.problems.append(f"{len(wanted - there)} images have no bytes")
