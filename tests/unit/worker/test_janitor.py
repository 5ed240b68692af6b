"""The sweeper's other half: purges, removes, and does a little at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from core.errors import StorageUnavailable
from db.accounts import searches, sessions
from db.session import now
from db.states import ImageState
from db.tables import AuditEntry, Base, BlobRemoval, BrowserSession, Image, Job, Search
from storage import marker
from tests.testing import factories
from tests.testing.settings import change
from web.backends import Backends
from worker.janitor import REFUSED_S, ROUND_S, Janitor

DAY_S = 24 * 3600.0
CONTENT = b"bytes that no row names"


@pytest.fixture
def time_s() -> list[float]:
    """The janitor's clock; a test moves it."""
    return [0.0]


@pytest.fixture
def make(backends: Backends, time_s: list[float]) -> Callable[[int], Janitor]:
    def janitor(retention_days: int = 0) -> Janitor:
        settings = change(backends.settings, retention_days=retention_days)
        return Janitor(settings, backends.database, backends.store, lambda: time_s[0])

    return janitor


def stored(backends: Backends, content: bytes, *, age_s: float) -> str:
    """A blob without a row; its sha256."""
    spool = backends.store.spool(100)
    spool.write(content)
    sha256 = backends.store.put(spool)
    path = backends.settings.storage.blobs / sha256[:2] / sha256
    os.utime(path, (time.time() - age_s,) * 2)
    return sha256


def old_job(backends: Backends, *, days: int) -> int:
    with backends.database.begin() as session:
        job = factories.job(session, factories.user(session))
        (image,) = factories.images(session, job, 1)
        job.created_at = image.created_at = image.finished_at = now(session) - timedelta(days=days)
        image.state = ImageState.DONE
        return job.id


def count(backends: Backends, table: type[Base]) -> int:
    with backends.database.read() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


def whole_round(janitor: Janitor, time_s: list[float]) -> None:
    for _ in range(256):
        janitor.step()
        time_s[0] += ROUND_S / 256


def test_in_an_hour_it_removes_what_a_crash_left_a_day_ago(
    backends: Backends, make: Callable[..., Janitor], time_s: list[float]
) -> None:
    left = stored(backends, CONTENT, age_s=DAY_S + 60)
    young = stored(backends, b"an upload that is still under way", age_s=DAY_S - 60)
    spool = backends.store.spool(100)
    os.utime(spool.path, (time.time() - DAY_S - 60,) * 2)
    whole_round(make(), time_s)
    assert not backends.store.exists(left)
    assert backends.store.exists(young)
    assert not spool.path.exists()
    spool.close()


def test_bytes_that_a_row_names_stay_however_old(
    backends: Backends, make: Callable[..., Janitor], time_s: list[float]
) -> None:
    sha256 = stored(backends, CONTENT, age_s=400 * DAY_S)
    old_job(backends, days=400)
    with backends.database.begin() as session:
        session.scalars(select(Image)).one().sha256 = sha256
    whole_round(make(), time_s)
    assert backends.store.exists(sha256)


def test_old_jobs_are_purged_only_if_the_operator_said_when(backends: Backends, make: Callable[..., Janitor]) -> None:
    job_id = old_job(backends, days=31)
    make(0).step()
    assert (count(backends, Job), count(backends, AuditEntry)) == (1, 0)
    make(32).step()
    assert count(backends, Job) == 1
    make(30).step()
    assert (count(backends, Job), count(backends, Image)) == (0, 0)
    with backends.database.read() as session:
        entry = session.scalars(select(AuditEntry)).one()
    assert (entry.actor, entry.action, entry.object_id) == ("(sweeper)", "purged", job_id)


def test_a_deletion_that_was_cut_off_goes_on(backends: Backends, make: Callable[..., Janitor]) -> None:
    job_id = old_job(backends, days=1)
    with backends.database.begin() as session:
        session.get_one(Job, job_id).deleted_at = now(session)
    make().step()
    assert (count(backends, Job), count(backends, Image)) == (0, 0)


def test_sessions_and_searches_that_are_over_are_dropped(backends: Backends, make: Callable[..., Janitor]) -> None:
    with backends.database.begin() as session:
        user, at = factories.user(session), now(session)
        for ago in (timedelta(hours=1), timedelta(hours=25)):
            sessions.start(session, user, sessions.limits(backends.settings), at - ago)
            searches.keep(session, user.id, "mustermann", at - ago)
    make().step()
    assert (count(backends, BrowserSession), count(backends, Search)) == (1, 1)


def test_a_storage_that_refuses_stops_nothing(
    backends: Backends, make: Callable[..., Janitor], monkeypatch: pytest.MonkeyPatch, time_s: list[float]
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable("The disk is gone.")

    left = stored(backends, CONTENT, age_s=2 * DAY_S)
    janitor = make()
    with monkeypatch.context() as patch:
        patch.setattr(type(backends.store), "delete", fail)
        whole_round(janitor, time_s)
        assert backends.store.exists(left)
    time_s[0] += REFUSED_S
    janitor.step()
    assert not backends.store.exists(left)


@pytest.mark.parametrize("left", [None, "2" * 32])
def test_nothing_is_done_in_a_store_that_is_missing_or_not_ours(
    backends: Backends, make: Callable[..., Janitor], time_s: list[float], left: str | None
) -> None:
    path = backends.settings.storage.blobs / marker.NAME
    ours = path.read_bytes()
    orphan = stored(backends, CONTENT, age_s=DAY_S + 60)
    spool = backends.store.spool(100)
    os.utime(spool.path, (time.time() - DAY_S - 60,) * 2)
    path.unlink() if left is None else path.write_bytes(marker.write(left))
    janitor = make(1)
    try:
        whole_round(janitor, time_s)
        assert backends.store.exists(orphan)
        assert spool.path.exists()
        with backends.database.read() as session:
            assert session.scalars(select(BlobRemoval.sha256)).all() == []
    finally:
        path.write_bytes(ours)
    time_s[0] += REFUSED_S
    whole_round(janitor, time_s)
    assert not backends.store.exists(orphan)
    assert not spool.path.exists()
    spool.close()
