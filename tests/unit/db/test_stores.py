"""Which blob store is taken for this database's, and how another one in its place is noticed."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest

from core.errors import StorageForeign, StorageMissing
from db import stores
from db.session import Database
from db.stores import StoreCheck
from db.tables import Image
from storage import marker
from storage.local import LocalBlobStore
from tests.testing import factories


def put(store: LocalBlobStore, data: bytes) -> str:
    spool = store.spool(1000)
    spool.write(data)
    return store.put(spool)


def add_images(database: Database, *contents: bytes) -> None:
    with database.begin() as session:
        rows = factories.images(session, factories.job(session, factories.user(session)), len(contents))
        for row, content in zip(rows, contents, strict=True):
            session.get_one(Image, row.id).sha256 = hashlib.sha256(content).hexdigest()


def recorded(database: Database) -> str | None:
    with database.read() as session:
        return stores.recorded_id(session)


def of_before(root: Path) -> LocalBlobStore:
    """A store as the release without markers left it."""
    store = LocalBlobStore(root)
    store.make(marker.new_id())
    (root / marker.NAME).unlink()
    return store


def test_an_empty_database_and_an_empty_place_become_a_store(database: Database, tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    stores.settle(database, store)
    assert store.store_id() == recorded(database) is not None
    StoreCheck(database, store).require()


def test_settling_twice_changes_nothing(database: Database, tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    stores.settle(database, store)
    first = store.store_id()
    stores.settle(database, store)
    assert store.store_id() == recorded(database) == first


def test_processes_that_settle_at_once_agree(database: Database, tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    together = threading.Barrier(4)
    errors: list[Exception] = []

    def settle() -> None:
        together.wait()
        try:
            stores.settle(database, LocalBlobStore(store.root))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=settle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.store_id() == recorded(database) is not None


def test_a_store_of_the_release_before_is_adopted_by_its_blobs(database: Database, tmp_path: Path) -> None:
    store = of_before(tmp_path)
    sha256 = put(store, b"radiograph")
    add_images(database, b"radiograph")
    stores.settle(database, store)
    assert store.store_id() == recorded(database) is not None
    assert store.exists(sha256)


def test_an_empty_place_is_not_adopted_for_a_database_with_images(database: Database, tmp_path: Path) -> None:
    add_images(database, b"radiograph")
    store = LocalBlobStore(tmp_path / "not mounted")
    stores.settle(database, store)
    assert recorded(database) is None
    assert list(tmp_path.glob("not mounted")) == []
    with pytest.raises(StorageMissing, match="not set up"):
        StoreCheck(database, store, settles=True).require()


def test_blobs_that_no_image_names_are_not_adopted(database: Database, tmp_path: Path) -> None:
    store = of_before(tmp_path)
    put(store, b"another hospital's")
    stores.settle(database, store)
    add_images(database, b"ours", b"another hospital's", b"ours too")
    stores.settle(database, store)
    assert recorded(database) is None
    assert store.store_id() is None


def test_a_marker_written_before_a_crash_is_taken(database: Database, tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path)
    store.make("1" * 32)
    stores.settle(database, store)
    assert recorded(database) == "1" * 32


def test_a_store_that_vanishes_is_missing_until_it_is_back(database: Database, tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    check = StoreCheck(database, store, settles=True)
    check.require()
    store.root.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(StorageMissing, match="not there"):
            check.require()
    assert not store.root.exists()
    (tmp_path / "away").rename(store.root)
    check.require()


def test_another_store_in_its_place_is_foreign(database: Database, tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path)
    check = StoreCheck(database, store, settles=True)
    check.require()
    store.make("2" * 32)
    with pytest.raises(StorageForeign, match="another one"):
        check.require()


def test_an_operator_may_adopt_it_and_running_processes_follow(database: Database, tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    check = StoreCheck(database, store, settles=True)
    check.require()
    (store.root / marker.NAME).unlink()
    stores.adopt(database, store)
    check.require()
    assert store.store_id() == recorded(database)


def test_who_only_reads_never_makes_a_store(database: Database, tmp_path: Path) -> None:
    with pytest.raises(StorageMissing):
        StoreCheck(database, LocalBlobStore(tmp_path / "blobs")).require()
    assert not (tmp_path / "blobs").exists()
