"""The sweeper removes bytes without an image and leaves every other blob alone."""

from __future__ import annotations

import os
import time

import pytest

from core.storage import FOLDERS, LocalBlobStore
from tests.unit.worker.conftest import Submit, pngs
from web.services import Services
from worker import orphans as module
from worker.orphans import Orphans

DAY_S = 24 * 3600.0


@pytest.fixture
def store(services: Services) -> LocalBlobStore:
    return LocalBlobStore(services.settings.blobs)


@pytest.fixture
def orphans(services: Services, store: LocalBlobStore) -> Orphans:
    return Orphans(services.database, store)


def leave(store: LocalBlobStore, data: bytes) -> str:
    """What a web process that died before its commit leaves."""
    spool = store.spool(10_000)
    spool.write(data)
    return store.put(spool)


def age_all(services: Services) -> None:
    then = time.time() - 2 * DAY_S
    for path in services.settings.blobs.glob("*/*"):
        os.utime(path, (then, then))


def go_through(orphans: Orphans) -> int:
    return sum(orphans.step(time.time() - DAY_S) for _ in range(FOLDERS))


def test_old_bytes_without_an_image_go_and_those_of_images_stay(
    services: Services, store: LocalBlobStore, orphans: Orphans, submit: Submit
) -> None:
    submit(*pngs(5))
    kept = {path.name for path in services.settings.blobs.glob("??/*")}
    left = [leave(store, b"half of an upload %d" % number) for number in range(20)]
    age_all(services)
    assert go_through(orphans) == 20
    assert {path.name for path in services.settings.blobs.glob("??/*")} == kept
    assert not any(store.exists(sha256) for sha256 in left)


def test_young_bytes_stay_for_their_rows_may_come(store: LocalBlobStore, orphans: Orphans) -> None:
    sha256 = leave(store, b"an upload under way")
    assert go_through(orphans) == 0
    assert store.exists(sha256)


def test_a_folder_is_looked_at_only_when_it_is_due(
    orphans: Orphans, monkeypatch: pytest.MonkeyPatch, services: Services, store: LocalBlobStore
) -> None:
    leave(store, b"old")
    age_all(services)
    assert sum(orphans.step_if_due() for _ in range(FOLDERS)) == 0
    monkeypatch.setattr(module, "STEP_S", 0.0)
    later = time.monotonic() + 60
    monkeypatch.setattr("worker.orphans.time.monotonic", lambda: later)
    assert sum(orphans.step_if_due() for _ in range(FOLDERS)) == 1
