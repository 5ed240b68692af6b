"""The archive that the history is measured on is one that the service could have made."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select

from benchmarks.archive import fill
from db import migrate
from db.session import Database
from db.states import ImageState
from db.tables import Image, Prediction

ROWS = 400


def test_every_image_that_is_done_names_a_prediction_of_its_own_with_its_decision(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    migrate.upgrade(url)
    fill(url, ROWS, note=lambda _: None)
    database = Database(url)
    with database.read() as session:
        assert session.scalars(select(func.count()).select_from(Image)).one() == ROWS
        done = select(func.count()).where(Image.state == ImageState.DONE)
        named = done.where(
            Prediction.id == Image.primary_prediction_id,
            Prediction.image_id == Image.id,
            Prediction.decision == Image.decision,
        )
        assert session.scalars(named).one() == session.scalars(done).one() > 0
    database.dispose()
