"""The archive that the benchmarks fill is one that the application can read."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select

from benchmarks.archive import fill
from db import migrate, queries
from db.listing.filters import Filters
from db.session import Database
from db.states import Decision, ImageState
from db.tables import Image, Job


def test_it_fills_the_schema_of_today(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'archive.db'}"
    migrate.upgrade(url)
    archive = fill(url, 600, lambda _: None)
    database = Database(url)
    with database.read() as session:
        assert session.scalars(select(func.count()).select_from(Image)).one() == 600
        queued = queries.progress(session, session.get_one(Job, archive.queued_job))
        assert queued.counts[ImageState.QUEUED] == queued.total > 0
        refused = queries.images(session, Filters(decision=Decision.REFUSED)).items
        assert {image.predictions[-1].decision for image in refused} == {Decision.REFUSED}
    database.dispose()
