"""Images in the database and in the blob store, as an upload leaves them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from db import jobs
from db.jobs import NewImage
from db.session import now
from db.states import Priority
from db.tables import Image
from tests.testing import factories
from web.backends import Backends

Submit = Callable[..., list[int]]


@pytest.fixture
def submit(backends: Backends) -> Submit:
    """`submit(data, …, priority=)`: store each, make one job of them, publish nothing; the ids of the images."""
    with backends.database.begin() as session:
        owner = factories.user(session, "submitter")

    def _submit(*data: bytes, priority: Priority = Priority.BULK) -> list[int]:
        new: list[NewImage] = []
        for number, content in enumerate(data):
            spool = backends.store.spool(10_000_000)
            spool.write(content)
            new.append(NewImage(f"patient-{number}.png", backends.store.put(spool), "image/png", len(content), 9, 9))
        with backends.database.begin() as session:
            job = factories.job(session, owner, priority=priority)
            return [image.id for image in jobs.add_images(session, job, new, now(session))]

    return _submit


def rows(backends: Backends) -> Sequence[Image]:
    """Every image with its predictions, by id."""
    with backends.database.read() as session:
        return session.scalars(select(Image).options(selectinload(Image.predictions)).order_by(Image.id)).all()


def states(backends: Backends) -> list[str]:
    return [str(row.state) for row in rows(backends)]


def pngs(count: int, *, brightness: float = 0.4, first_seed: int = 0) -> list[bytes]:
    return [factories.png(first_seed + number, brightness=brightness, size_px=(24, 20)) for number in range(count)]
