"""A database full of results, as two years of a hospital leave it: written in bulk, the same on every run."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from db import outcomes, workers
from db.accounts import users
from db.limits import within
from db.session import Database, now
from db.states import Role
from db.tables import AuditEntry, Base, Image, Job, Prediction, Review

CHUNK = 20_000
YEARS = 2
CLINICIANS, OPERATORS = 6, 3
MODELS = ("a" * 64, "b" * 64)
RARE_NAME = "okapi"
"""In the name of one image, among the oldest tenth."""

STATES = ("done",) * 970 + ("failed",) * 15 + ("cancelled",) * 15
DECISIONS = ("normal",) * 68 + ("pneumonia",) * 30 + ("refused",) * 2
WARDS = ("ward", "clinic", "emergency", "icu", "night shift")
FRONTAL_VIEWS = ("pa", "ap", None)
NAMES = ("scan", "PA", "AP", "lateral", "thorax", "IMG", "export", "pacs")

Row = tuple[Any, ...]

COLUMNS: dict[type[Base], tuple[str, ...]] = {
    Job: ("id", "name", "priority", "user_id", "created_at"),
    Image: (
        *("id", "job_id", "filename", "sha256", "media_type", "size_bytes", "width_px", "height_px", "state"),
        *("priority", "user_id", "assignee_id", "attempt", "crashes", "decision", "view", "worker", "published_at"),
        *("error_code", "error_message", "created_at", "finished_at"),
    ),
    Prediction: (
        *("id", "image_id", "model_sha256", "probability", "threshold", "decision", "view"),
        *("domain_score", "domain_limit", "reason", "cam", "created_at"),
    ),
    Review: ("id", "prediction_id", "user_id", "opinion", "note", "created_at"),
    AuditEntry: ("id", "at", "actor", "user_id", "role", "action", "object_kind", "object_id", "detail", "address"),
}
"""What a `Row` of each table holds, in its order; columns that are not named stay NULL."""


@dataclass(frozen=True, slots=True)
class Archive:
    """What was filled, and what a request needs to look at it."""

    rows: int
    admin_token: str
    clinician_token: str
    operator_token: str
    idle_operator_token: str
    old_image: int
    big_job: int
    queued_job: int

    @property
    def queued(self) -> int:
        """Images of `queued_job`."""
        return self.rows // 10


class Filler:
    """Rows of every table, in the order of their ids: jobs of all sizes, one of a tenth of all images, one queued."""

    def __init__(self, rows: int, until: datetime) -> None:
        self._random = random.Random(rows)
        self._rows = rows
        self._until = until
        self._step = timedelta(days=365 * YEARS) / rows
        self.jobs: list[Row] = []
        self.big_job = self.queued_job = 0

    def _size(self, number: int, left: int) -> int:
        tenth = self._rows // 10
        if number == 3:
            self.big_job = number
            return tenth
        if not self.queued_job and left <= tenth + 200:
            self.queued_job = number
            return min(left, tenth)
        if self.queued_job:
            return 1
        size = self._random.choice((1, 1, 1, 1, 1, 1, 2, 5, 20, 200, 2000))
        return max(1, min(size, self._rows // 50, left - tenth - 100))

    def images(self) -> Iterator[tuple[Row, list[Row]]]:
        """Each image with its predictions; `jobs` grows as it goes."""
        image_id = prediction_id = number = 0
        while image_id < self._rows:
            number += 1
            size = self._size(number, self._rows - image_id)
            user = self._random.choice(range(1, CLINICIANS + OPERATORS + 1))
            priority = "interactive" if size == 1 else "bulk"
            sent_at = self._until - self._step * (self._rows - image_id)
            name = f"{self._random.choice(WARDS)} {number}"
            self.jobs.append((number, name, priority, user, sent_at))
            for _ in range(size):
                image_id += 1
                image, unnumbered = self._image(image_id, number, user, priority)
                predictions = [(prediction_id := prediction_id + 1, *row) for row in unnumbered]
                yield image, predictions

    def _image(self, image_id: int, job: int, user: int, priority: str) -> tuple[Row, list[Row]]:
        pick = self._random
        sent_at = self._until - self._step * (self._rows - image_id)
        state = "queued" if job == self.queued_job else pick.choice(STATES)
        rare = f"-{RARE_NAME}" if image_id == self._rows // 20 else ""
        year, number = sent_at.year, pick.randrange(1_000_000)
        filename = f"{year}/{pick.choice(NAMES)}{rare}-{number:06d}_{image_id}.jpeg"
        finished_at = (
            sent_at + timedelta(seconds=pick.randrange(1, 60)) if state in ("done", "failed", "cancelled") else None
        )
        decision = pick.choice(DECISIONS) if state == "done" else None
        view = None if decision is None else "lateral" if decision == "refused" else pick.choice(FRONTAL_VIEWS)
        error = ("corrupt_image", "Its data ends too early.") if state == "failed" else (None, None)
        image = (
            *(image_id, job, filename, f"{image_id:064x}", "image/jpeg", 150_000, 1400, 1100, state, priority, user),
            2 + image_id % CLINICIANS if image_id % 50 == 0 else None,
            *(0 if state == "queued" else 1, 0, decision, view, "w-1" if finished_at else None, sent_at),
            *(*error, sent_at, finished_at),
        )
        if decision is None:
            return image, []
        models = MODELS if pick.random() < 0.1 else MODELS[1:]
        return image, [self._prediction(image_id, model, decision, view, finished_at) for model in models]

    def _prediction(self, image_id: int, model: str, decision: str, view: str | None, at: datetime | None) -> Row:
        sure = self._random.random() / 2
        probability = sure + 0.5 if decision == "pneumonia" else sure
        reason = "It looks unlike the images that the model was trained on." if decision == "refused" else None
        return image_id, model, probability, 0.5, decision, view, 0.4, 1.0, reason, b"\0" * 98, at

    def reviews(self, predictions: int) -> Iterator[Row]:
        """Of every twentieth prediction."""
        for number, prediction in enumerate(range(1, predictions, 20), 1):
            user = 2 + number % CLINICIANS
            yield number, prediction, user, ("agree", "disagree", "unsure")[number % 3], "", self._until

    def audit(self) -> Iterator[Row]:
        """One entry to every fourth image."""
        for number in range(1, self._rows // 4):
            user = 1 + number % (CLINICIANS + OPERATORS)
            action = ("saw", "saw", "saw", "submitted", "exported", "reviewed")[number % 6]
            at = self._until - self._step * 4 * (self._rows // 4 - number)
            yield number, at, f"user-{user}", user, "clinician", action, "image", number * 4, "page", "10.0.0.1"


def fill(url: str, rows: int, note: Any = print) -> Archive:
    """Fill the migrated, empty database at `url`."""
    database = Database(url)
    names = ["admin", *(f"clinician-{n}" for n in range(CLINICIANS)), *(f"operator-{n}" for n in range(OPERATORS + 1))]
    tokens: dict[str, str] = {}
    with database.begin() as session:
        at = now(session)
        for name in names:
            user = users.add_user(session, name=name, role=Role(name.partition("-")[0]), password=None, now=at)
            tokens[name] = users.create_token(session, user, now=at)
        for sha256 in MODELS:
            workers.register_model(session, sha256=sha256, name=f"model-{sha256[0]}", card={}, now=at)
    database.dispose()
    filler = Filler(rows, datetime.now(UTC))
    with _Bulk(url) as bulk:
        predictions = _write_images(bulk, filler, rows, note)
        bulk.write(AuditEntry, filler.audit())
        note("  naming primary predictions, counting rows for the query planner")
        _name_primary_predictions(url)
        bulk.write(Review, filler.reviews(predictions))
        bulk.finish()
    last = f"operator-{OPERATORS}"  # has sent nothing
    return Archive(
        rows,
        admin_token=tokens["admin"],
        clinician_token=tokens["clinician-0"],
        operator_token=tokens["operator-0"],
        idle_operator_token=tokens[last],
        old_image=max(2, rows // 10),
        big_job=filler.big_job,
        queued_job=filler.queued_job,
    )


def _write_images(bulk: _Bulk, filler: Filler, rows: int, note: Any) -> int:
    """How many predictions there are. Jobs go before the images that name them."""
    images: list[Row] = []
    predictions: list[Row] = []
    written = jobs = total = 0
    started_s = time.monotonic()

    def flush() -> None:
        nonlocal jobs, total, written
        bulk.write(Job, filler.jobs[jobs:])
        bulk.write(Image, images)
        bulk.write(Prediction, predictions)
        jobs, total, written = len(filler.jobs), total + len(predictions), written + len(images)
        images.clear()
        predictions.clear()
        if rows > CHUNK:
            note(f"  {written:9,} of {rows:,} images, {time.monotonic() - started_s:.0f} s")

    for image, of_image in filler.images():
        images.append(image)
        predictions += of_image
        if len(images) == CHUNK:
            flush()
    flush()
    return total


def _name_primary_predictions(url: str) -> None:
    """As the sweeper does for a release that named none."""
    database = Database(url)
    for fill_in in (outcomes.name_primary_predictions, outcomes.fill_in_for_lists):
        more = True
        while more:
            with within(None), database.begin() as session:
                more = fill_in(session, limit=20_000) > 0
    database.dispose()


class _Bulk:
    """COPY on PostgreSQL, executemany on SQLite."""

    def __init__(self, url: str) -> None:
        self._copies = not url.startswith("sqlite")
        if self._copies:
            self._postgresql = psycopg.connect(_conninfo(url), autocommit=True)
        else:
            self._sqlite = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
            self._sqlite.execute("PRAGMA synchronous = OFF")
            self._sqlite.execute("PRAGMA cache_size = -500000")

    def __enter__(self) -> _Bulk:
        return self

    def __exit__(self, *_: object) -> None:
        (self._postgresql if self._copies else self._sqlite).close()

    def write(self, table: type[Base], rows: Iterable[Row]) -> None:
        columns = COLUMNS[table]
        names = f"{table.__tablename__} ({', '.join(columns)})"
        if self._copies:
            with self._postgresql.cursor() as cursor, cursor.copy(f"COPY {names} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join("?" * len(columns))
        self._sqlite.execute("BEGIN")
        self._sqlite.executemany(f"INSERT INTO {names} VALUES ({marks})", map(_for_sqlite, rows))
        self._sqlite.execute("COMMIT")

    def finish(self) -> None:
        """Ids go on after the last, and PostgreSQL has what autovacuum would leave. SQLite keeps no statistics."""
        if not self._copies:
            self._sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        for table in (Job, Image, Prediction, Review, AuditEntry):
            name = table.__tablename__
            self._postgresql.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")
        self._postgresql.execute("VACUUM ANALYZE")


def _conninfo(url: str) -> str:
    """libpq knows no drivers."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def _for_sqlite(row: Sequence[Any]) -> Row:
    """Times as SQLAlchemy writes them: UTC, without a zone."""
    return tuple(v.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(v, datetime) else v for v in row)
