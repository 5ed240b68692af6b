"""The archive that the history is measured on is one that the service could have made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks.archive import Archive, fill
from db import migrate
from db.listing import images
from db.listing.filters import Filters
from db.progress import progress_of
from db.session import Database
from db.states import Decision, ImageState
from db.tables import Image, Job, Prediction

ROWS = 600


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[tuple[Database, Archive]]:
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    migrate.upgrade(url)
    archive = fill(url, ROWS, lambda _: None)
    database = Database(url)
    yield database, archive
    database.dispose()


def test_it_fills_the_schema_of_today(filled: tuple[Database, Archive]) -> None:
    database, archive = filled
    with database.read() as session:
        assert session.scalars(select(func.count()).select_from(Image)).one() == ROWS
        queued = progress_of(session, session.get_one(Job, archive.queued_job))
        assert queued.counts[ImageState.QUEUED] == queued.total > 0
        refused = images.page(session, Filters(decision=Decision.REFUSED)).items
        assert {image.decision for image in refused} == {Decision.REFUSED}


def test_every_image_that_is_done_names_a_prediction_of_its_own_with_its_decision(
    filled: tuple[Database, Archive],
) -> None:
    database, _ = filled
    with database.read() as session:
        done = select(func.count()).where(Image.state == ImageState.DONE)
        named = done.where(
            Prediction.id == Image.primary_prediction_id,
            Prediction.image_id == Image.id,
            Prediction.decision == Image.decision,
        )
        assert session.scalars(named).one() == session.scalars(done).one() > 0
