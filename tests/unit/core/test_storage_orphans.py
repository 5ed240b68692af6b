"""What an upload that broke off left behind can be removed, and nothing else can."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from core.storage import ASIDE, LocalBlobStore

LIMIT = 1000
DAY_S = 24 * 3600.0


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobStore:
    return LocalBlobStore(tmp_path / "blobs")


def put(store: LocalBlobStore, data: bytes = b"radiograph") -> str:
    spool = store.spool(LIMIT)
    spool.write(data)
    return store.put(spool)


def path_of(store: LocalBlobStore, sha256: str) -> Path:
    return store.root / sha256[:2] / sha256


def age(path: Path, seconds: float = DAY_S) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def listed(store: LocalBlobStore, sha256: str) -> list[str]:
    return list(store.stored_before(int(sha256[:2], 16), time.time() - 60))


def test_only_old_blobs_of_the_folder_are_listed(store: LocalBlobStore) -> None:
    sha256 = put(store)
    assert listed(store, sha256) == []
    age(path_of(store, sha256))
    assert listed(store, sha256) == [sha256]
    assert listed(store, "00" if sha256[:2] != "00" else "01") == []


def test_a_blob_put_again_is_young_again(store: LocalBlobStore) -> None:
    sha256 = put(store)
    age(path_of(store, sha256))
    put(store)
    assert listed(store, sha256) == []


def test_a_blob_put_again_since_it_was_listed_is_not_discarded(store: LocalBlobStore) -> None:
    sha256 = put(store)
    before = time.time() - 60
    assert not store.discard(sha256, before)
    assert store.exists(sha256)
    age(path_of(store, sha256))
    assert store.discard(sha256, before)
    assert not store.exists(sha256)
    assert not store.discard(sha256, before)


def test_what_a_sweeper_that_died_had_taken_aside_is_put_back_if_it_is_young(store: LocalBlobStore) -> None:
    sha256 = put(store)
    path_of(store, sha256).rename(store.root / "incoming" / f"{ASIDE}{sha256}")
    assert store.discard_spools(time.time() - 60) == 0
    assert store.exists(sha256)


def test_old_spools_are_discarded_and_young_ones_kept(store: LocalBlobStore) -> None:
    old, young = store.spool(LIMIT), store.spool(LIMIT)
    age(old.path)
    assert store.discard_spools(time.time() - 60) == 1
    assert (old.path.exists(), young.path.exists()) == (False, True)
    young.close()
    old.close()
