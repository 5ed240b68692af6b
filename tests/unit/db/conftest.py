"""A desk with one user, from which the tests of `db.jobs` submit and claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import claims, jobs, leases, outcomes
from db.claims import Claim
from db.outcomes import Failed, Scored
from db.session import Database, now
from db.states import Decision, Priority
from db.tables import Image, Job, Prediction, User
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256

LEASE_S = 60.0
MAX_ATTEMPTS = 3


class Desk:
    """Each method is one transaction, as the callers of `db.jobs` make them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.begin() as session:
            self.user = factories.user(session)
            self.others = [factories.user(session, name) for name in ("grace", "mary")]
            factories.model(session)

    def job(
        self, images: int = 0, priority: Priority = Priority.BULK, name: str = "ward 3", owner: User | None = None
    ) -> tuple[Job, list[int]]:
        """A job and the ids of its images."""
        with self.database.begin() as session:
            job = factories.job(session, owner or self.user, name, priority)
            return job, [image.id for image in factories.images(session, job, images)]

    def claim(
        self, limit: int = 100, *, worker: str = "w1", lease_s: float = LEASE_S, alone: bool = True
    ) -> list[Claim]:
        with self.database.begin() as session:
            return claims.claim(session, worker=worker, limit=limit, lease_s=lease_s, now=now(session), alone=alone)

    def finish(self, held: Sequence[Claim], *, worker: str = "w1", probability: float = 0.7) -> int:
        scored = [Scored(claim, probability, Decision.PNEUMONIA) for claim in held]
        with self.database.begin() as session:
            return outcomes.finish(
                session, scored, model_sha256=FAKE_SHA256, threshold=0.5, worker=worker, now=now(session)
            )

    def fail(self, claim: Claim, *, transient: bool, worker: str = "w1", code: str = "") -> None:
        code = code or ("storage_unavailable" if transient else "corrupt_image")
        failed = Failed(claim, code, "It is damaged.", transient)
        with self.database.begin() as session:
            outcomes.fail(session, failed, worker=worker, max_attempts=MAX_ATTEMPTS, now=now(session))

    def requeue_expired(self, *, after_s: float = LEASE_S + 1) -> tuple[int, int]:
        """What the sweeper does, `after_s` from now."""
        with self.database.begin() as session:
            at = now(session) + timedelta(seconds=after_s)
            requeued, failed = leases.requeue_expired(session, max_attempts=MAX_ATTEMPTS, now=at)
        return len(requeued), len(failed)

    def release(self, worker: str = "w1") -> int:
        with self.database.begin() as session:
            return leases.release(session, worker=worker)

    def cancel(self, job: Job) -> int:
        with self.database.begin() as session:
            return jobs.cancel(session, session.get_one(Job, job.id), now(session))

    def retry(self, job: Job) -> list[int]:
        with self.database.begin() as session:
            return jobs.retry(session, session.get_one(Job, job.id))

    def unpublished(
        self, *, age_s: float = 0, limit: int = 100, published_s: float | None = None
    ) -> list[tuple[int, str]]:
        """What a sweep would publish: rows at least `age_s` old, and those published `published_s` ago."""
        with self.database.begin() as session:
            at = now(session) + timedelta(seconds=0.001)  # the rows may be as young as the clock's next tick
            return [
                (image_id, str(priority))
                for image_id, priority in jobs.take_unpublished(
                    session,
                    older_than=at - timedelta(seconds=age_s),
                    limit=limit,
                    published_before=None if published_s is None else at - timedelta(seconds=published_s),
                    now=at,
                )
            ]

    def publish(self, ids: Sequence[int]) -> None:
        with self.database.begin() as session:
            session.execute(update(Image).where(Image.id.in_(ids)).values(published_at=now(session)))

    def images(self) -> list[Image]:
        with self.database.read() as session:
            return list(session.scalars(select(Image).order_by(Image.id)))

    def states(self) -> list[str]:
        return [str(image.state) for image in self.images()]

    def predictions(self) -> list[Prediction]:
        with self.database.read() as session:
            return list(session.scalars(select(Prediction).order_by(Prediction.id)))


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.begin() as session:
        yield session
