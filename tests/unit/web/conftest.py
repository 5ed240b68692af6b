"""Somebody signed in with a browser, and rows for the pages to show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.kinds import ImageKind, View
from db import deployments, heartbeats, jobs, outcomes, workers
from db.session import now
from db.states import Decision, ImageState, Priority
from db.tables import Image, Prediction, User
from imaging import cam
from tests.conftest import PASSWORD
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from tests.unit.web.visitor import Visitor
from web.backends import Backends

AddJob = Callable[..., int]


@pytest.fixture
def stranger(browser: FlaskClient) -> Visitor:
    """Not signed in; the user `ada` with PASSWORD exists."""
    return Visitor(browser)


@pytest.fixture
def reader(stranger: Visitor) -> Visitor:
    """Signed in as `ada`."""
    stranger.sign_in("ada", PASSWORD)
    stranger.get("/")
    return stranger


@pytest.fixture
def add_job(backends: Backends, token: str) -> AddJob:
    """Adds a job of `ada`; each image is (file name, state) or (file name, probability). Returns the job's id.

    With `ood_score`, predictions have it with a limit of 1, above which they are refused, and a map. `view` is theirs,
    if they have one.
    """

    def add(
        *images: tuple[str, ImageState | float],
        name: str = "ward 3",
        sent_hours_ago: float = 0,
        ood_score: float | None = None,
        view: View | None = None,
        error_code: str = "corrupt_image",
    ) -> int:
        with backends.database.begin() as session:
            at = now(session) - timedelta(hours=sent_hours_ago)
            owner = session.scalars(select(User.id)).first()
            assert owner is not None
            job, _ = jobs.create(session, user_id=owner, name=name, priority=Priority.BULK, client_key=None, now=at)
            new = [
                jobs.NewImage(file, hashlib.sha256(f"{job.id} {i}".encode()).hexdigest(), "image/png", 1234, 640, 480)
                for i, (file, _) in enumerate(images)
            ]
            for row, (_, outcome) in zip(jobs.add_images(session, job, new, at), images, strict=True):
                _finish(session, row, outcome, ood_score, error_code)
                _tell(session, row, view)
            session.flush()
            outcomes.fill_in_for_lists(session)
            return job.id

    def _finish(session: Session, row: Image, outcome: ImageState | float, ood_score: float | None, code: str) -> None:
        row.state = outcome if isinstance(outcome, ImageState) else ImageState.DONE
        if row.state not in (ImageState.QUEUED, ImageState.RUNNING):
            row.finished_at = row.created_at
        if row.state is ImageState.FAILED:
            row.error_code, row.error_message, row.attempt = code, "Its data ends too early.", 1
        if not isinstance(outcome, ImageState):
            prediction = Prediction(
                image_id=row.id,
                model_sha256=FAKE_SHA256,
                probability=outcome,
                threshold=0.5,
                decision=Decision.PNEUMONIA if outcome >= 0.5 else Decision.NORMAL,
                created_at=row.created_at,
            )
            if ood_score is not None:
                prediction.ood_score, prediction.ood_limit = ood_score, 1.0
                prediction.cam = cam.pack(np.pad(np.full((2, 2), 3, np.float16), (2, 3), constant_values=-3))
                if ood_score > 1:
                    prediction.decision, prediction.reason = Decision.REFUSED, "It looks like a hand."
            session.add(prediction)
            session.flush()
            row.decision, row.primary_prediction_id = prediction.decision, prediction.id

    return add


def _tell(session: Session, row: Image, view: View | None) -> None:
    if view is not None:
        prediction = session.get_one(Prediction, row.primary_prediction_id)
        prediction.kind = ImageKind.LATERAL if view is View.LATERAL else ImageKind.FRONTAL
        prediction.view = row.view = view


@pytest.fixture
def worker(backends: Backends) -> str:
    """The name of a worker that is alive, with the deployed model; the sweeper runs as well."""
    deploy(backends)
    with backends.database.begin() as session:
        at = now(session)
        workers.register(session, name="gpu-1", engine="fake", model_sha256=FAKE_SHA256, now=at)
        heartbeats.beat(session, heartbeats.SWEEPER, at)
    return "gpu-1"


def deploy(backends: Backends, sha256: str = FAKE_SHA256) -> None:
    """Make the model of this hash the one in use, since an hour ago; something lies in the store under its name."""
    (backends.settings.storage.blobs / sha256[:2] / sha256).touch()
    with backends.database.begin() as session:
        factories.model(session, sha256, "of-this-site")
        deployments.deploy(session, sha256, by="ada", now=now(session) - timedelta(hours=1))


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page tells of what a test did a moment before."""
    monkeypatch.setattr("services.storage.FRESH_S", 0.0)
    monkeypatch.setattr("web.health.service_health.FRESH_S", 0.0)
