"""The verdict on a run of the matrix finds each kind of loss."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, update

from db import claims, outcomes
from db.outcomes import Scored
from db.session import Database, now
from db.states import Decision, ImageState
from db.tables import Image, Job, Prediction
from tests.faults.load import Ledger
from tests.faults.report import Outcome, as_table, summarize
from tests.faults.verdict import Verdict, judge
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256

OTHER_SHA256 = "e" * 64


@pytest.fixture
def ledger(database: Database) -> Ledger:
    """Three images, accepted and done."""
    with database.begin() as session:
        owner = factories.user(session)
        images = factories.images(session, factories.job(session, owner), 3)
        factories.model(session)
        factories.model(session, OTHER_SHA256, "other")
    screen(database, FAKE_SHA256)
    return Ledger(accepted={image.filename: image.id for image in images})


def screen(database: Database, model_sha256: str) -> None:
    with database.begin() as session:
        at = now(session)
        held = claims.claim(session, worker="w", limit=10, lease_s=60, now=at)
        scored = [Scored(claim, 0.7, Decision.PNEUMONIA) for claim in held]
        outcomes.finish(session, scored, model_sha256=model_sha256, threshold=0.5, worker="w", now=at)


def verdict_of(database: Database, ledger: Ledger, **may_fail: str) -> Verdict:
    stack: Any = SimpleNamespace(database=database)
    verdict = Verdict()
    judge(stack, ledger, {f"{name}.png": code for name, code in may_fail.items()}, verdict)
    return verdict


def change(database: Database, image_id: int, **values: Any) -> None:
    with database.begin() as session:
        session.execute(update(Image).where(Image.id == image_id).values(values))


def test_all_done_once_is_no_problem(database: Database, ledger: Ledger) -> None:
    verdict = verdict_of(database, ledger)
    assert (verdict.images, verdict.lost, verdict.duplicated, verdict.problems) == (3, 0, 0, [])


def test_an_accepted_image_without_a_row_is_lost(database: Database, ledger: Ledger) -> None:
    ledger.accepted["gone.png"] = 404
    assert verdict_of(database, ledger).lost == 1


@pytest.mark.parametrize("state", [ImageState.QUEUED, ImageState.RUNNING, ImageState.FAILED, ImageState.CANCELLED])
def test_an_image_that_is_not_done_is_lost(database: Database, ledger: Ledger, state: ImageState) -> None:
    change(database, min(ledger.accepted.values()), state=state)
    verdict = verdict_of(database, ledger)
    assert (verdict.lost, len(verdict.problems)) == (1, 1)


def test_a_second_prediction_is_a_duplicate(database: Database, ledger: Ledger) -> None:
    change(database, min(ledger.accepted.values()), state=ImageState.QUEUED)
    screen(database, OTHER_SHA256)
    verdict = verdict_of(database, ledger)
    assert (verdict.lost, verdict.duplicated) == (0, 1)


def test_a_bad_image_has_to_fail_with_its_code_and_a_reason(database: Database, ledger: Ledger) -> None:
    ledger.accepted = {"bad.png": min(ledger.accepted.values())}
    reason = {"state": ImageState.FAILED, "error_code": "corrupt_image", "error_message": "It is damaged."}
    change(database, ledger.accepted["bad.png"], filename="bad.png", **reason)
    assert verdict_of(database, ledger, bad="corrupt_image").problems != []  # it has a prediction
    with database.begin() as session:
        session.execute(update(Image).values(primary_prediction_id=None))
        session.execute(delete(Prediction))
    assert verdict_of(database, ledger, bad="corrupt_image").problems == []
    assert verdict_of(database, ledger, bad="attempts_exhausted").problems != []


def test_a_job_without_images_is_a_problem(database: Database, ledger: Ledger) -> None:
    with database.begin() as session:
        session.add(Job(name="empty", priority="bulk", user_id=1, created_at=now(session)))
    assert verdict_of(database, ledger).problems == ["1 jobs without an image were left behind"]


def test_a_broken_run_shows_in_the_table() -> None:
    runs = [
        Outcome("kill", "now", "sqlite", 1, Verdict(images=10, recovery_s=1.0)),
        Outcome("kill", "now", "sqlite", 2, Verdict(images=10, lost=1, recovery_s=3.0, problems=["lost"])),
    ]
    table = as_table(summarize(runs, [("kill", "now"), ("other", "never")]))
    assert "| kill | now | 2 (**1 broken**) | 20 | 1 | 0 | 2.0 s | 3.0 s |" in table
    assert "| other | never | not run |" in table
