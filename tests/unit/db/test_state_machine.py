"""Whatever workers, sweepers and users do in whatever order: no image is lost, none is screened twice."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from db import migrate
from db.claims import Claim
from db.session import Database
from db.states import Priority
from db.tables import Job
from tests.unit.db.conftest import MAX_ATTEMPTS, Desk

WORKERS = st.sampled_from(["w1", "w2"])


@dataclass
class Expected:
    """What the model says of one image."""

    job_id: int
    state: str = "queued"
    attempt: int = 0
    crashes: int = 0
    priority: Priority = Priority.BULK
    worker: str = ""
    expires_s: float = 0
    finished: int = field(default=0)
    hopeless: bool = False  # failed for good: no retry


@dataclass(frozen=True)
class Held:
    worker: str
    claim: Claim


class Images(RuleBasedStateMachine):
    """The database beside a plain dictionary; time goes on only when `wait` says so."""

    jobs = Bundle("jobs")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory(prefix="pns-states-")
        url = f"sqlite:///{Path(self.directory.name) / 'x.db'}"
        migrate.upgrade(url)
        self.desk = Desk(Database(url))
        self.expected: dict[int, Expected] = {}
        self.clock_s = 0.0

    def teardown(self) -> None:
        self.desk.database.dispose()
        self.directory.cleanup()

    @rule(target=jobs, count=st.integers(1, 4), priority=st.sampled_from(Priority))
    def submit(self, count: int, priority: Priority) -> Job:
        job, ids = self.desk.job(count, priority)
        self.expected |= {image_id: Expected(job.id, priority=priority) for image_id in ids}
        return job

    @rule(target=held, worker=WORKERS, limit=st.integers(1, 5))
    def claim(self, worker: str, limit: int) -> object:
        # A lease ends at `clock + 100`; the database's own clock hardly moves during a run.
        claims = self.desk.claim(limit, worker=worker, lease_s=self.clock_s + 100)
        assert len(claims) == self.claimable(limit)
        for claim in claims:
            image = self.expected[claim.image_id]
            assert image.state == "queued"
            image.state, image.worker, image.expires_s = "running", worker, self.clock_s + 100
            image.attempt += 1
            assert claim.attempt == image.attempt
        return multiple(*(Held(worker, claim) for claim in claims))

    def claimable(self, limit: int) -> int:
        """A suspect goes alone, and whatever goes after it waits."""
        count = 0
        for priority in Priority:
            crashes = [i.crashes for i in self.expected.values() if (i.state, i.priority) == ("queued", priority)]
            if any(crashes):
                return count or 1
            count = min(limit, count + len(crashes))
            if count == limit:
                break
        return count

    def still_holds(self, held: Held) -> bool:
        image = self.expected[held.claim.image_id]
        return (image.state, image.worker, image.attempt) == ("running", held.worker, held.claim.attempt)

    @rule(held=held)
    def finish(self, held: Held) -> None:
        """Also again and too late: a claim stays in its bundle."""
        ours = self.still_holds(held)
        assert self.desk.finish([held.claim], worker=held.worker) == int(ours)
        if ours:
            image = self.expected[held.claim.image_id]
            image.state = "done"
            image.finished += 1

    @rule(held=consumes(held), transient=st.booleans())
    def fail(self, held: Held, transient: bool) -> None:
        ours = self.still_holds(held)
        self.desk.fail(held.claim, worker=held.worker, transient=transient)
        if ours:
            again = transient and held.claim.attempt - held.claim.crashes < MAX_ATTEMPTS
            image = self.expected[held.claim.image_id]
            image.state = "queued" if again else "failed"
            image.hopeless = not transient

    @rule(seconds=st.sampled_from([1.0, 60.0, 101.0]))
    def wait(self, seconds: float) -> None:
        self.clock_s += seconds

    @rule()
    def reap(self) -> None:
        gone = [i for i in self.expected.values() if i.state == "running" and i.expires_s < self.clock_s]
        exhausted = [image for image in gone if image.crashes + 1 >= MAX_ATTEMPTS]
        assert self.desk.reap(after_s=self.clock_s) == (len(gone) - len(exhausted), len(exhausted))
        for image in gone:
            image.crashes += 1
            image.state = "failed" if image.crashes >= MAX_ATTEMPTS else "queued"

    @rule(worker=WORKERS)
    def release(self, worker: str) -> None:
        mine = [i for i in self.expected.values() if i.state == "running" and i.worker == worker]
        assert self.desk.release(worker) == len(mine)
        for image in mine:
            image.state = "queued"
            image.attempt -= 1

    @rule(job=jobs)
    def cancel(self, job: Job) -> None:
        mine = [i for i in self.expected.values() if i.job_id == job.id and i.state == "queued"]
        assert self.desk.cancel(job) == len(mine)
        for image in mine:
            image.state = "cancelled"

    @staticmethod
    def can_retry(image: Expected) -> bool:
        return image.state == "cancelled" or (image.state == "failed" and not image.hopeless)

    @rule(job=jobs)
    def retry(self, job: Job) -> None:
        mine = {n: i for n, i in self.expected.items() if i.job_id == job.id and self.can_retry(i)}
        assert self.desk.retry(job) == sorted(mine)
        for image in mine.values():
            image.crashes = min(image.crashes, 1)
            image.state, image.attempt = "queued", image.crashes

    @invariant()
    def no_image_is_lost_and_each_is_in_the_state_the_model_says(self) -> None:
        rows = {image.id: (image.state, image.attempt, image.crashes) for image in self.desk.images()}
        assert rows == {number: (image.state, image.attempt, image.crashes) for number, image in self.expected.items()}

    @invariant()
    def a_done_image_has_one_prediction_and_any_other_has_none(self) -> None:
        predicted = [prediction.image_id for prediction in self.desk.predictions()]
        assert sorted(predicted) == sorted(n for n, image in self.expected.items() if image.state == "done")

    @invariant()
    def no_image_is_tried_more_often_than_allowed(self) -> None:
        assert all(image.attempt - image.crashes <= MAX_ATTEMPTS for image in self.desk.images())
        assert all(image.crashes <= MAX_ATTEMPTS for image in self.desk.images())

    @invariant()
    def only_what_runs_has_a_lease(self) -> None:
        assert all((image.lease_expires_at is not None) == (image.state == "running") for image in self.desk.images())


TestImages = Images.TestCase
TestImages.settings = hypothesis_settings(max_examples=12, stateful_step_count=30, deadline=None)
