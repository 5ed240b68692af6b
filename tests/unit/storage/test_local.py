"""A blob exists whole or not at all, once, and under nothing but its hash."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.errors import BlobMissing, StorageFull, StorageUnavailable
from storage import marker
from storage.local import LocalBlobStore

LIMIT = 1000
ABSENT = "0" * 64


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobStore:
    made = LocalBlobStore(tmp_path / "blobs")
    made.make(marker.new_id())
    return made


def put(store: LocalBlobStore, data: bytes) -> str:
    spool = store.spool(LIMIT)
    spool.write(data)
    return store.put(spool)


def read(store: LocalBlobStore, sha256: str) -> bytes:
    with store.open(sha256) as blob:
        return blob.read()


def files(store: LocalBlobStore) -> list[str]:
    """Every file under the root but the marker, relative to it."""
    paths = (path for path in store.root.rglob("*") if path.is_file() and path.name != marker.NAME)
    return sorted(str(path.relative_to(store.root)) for path in paths)


@given(data=st.binary(max_size=LIMIT))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
def test_any_bytes_come_back_as_they_went_in(store: LocalBlobStore, data: bytes) -> None:
    sha256 = put(store, data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert read(store, sha256) == data


def test_the_same_bytes_are_stored_once(store: LocalBlobStore) -> None:
    first = put(store, b"radiograph")
    assert put(store, b"radiograph") == first
    assert files(store) == [f"{first[:2]}/{first}"]


def test_who_reads_a_blob_is_not_disturbed_when_it_is_put_again(store: LocalBlobStore) -> None:
    with store.open(put(store, b"radiograph")) as blob:
        assert blob.read(5) == b"radio"
        put(store, b"radiograph")
        assert blob.read() == b"graph"


def test_a_blob_exists_from_put_to_delete(store: LocalBlobStore) -> None:
    sha256 = put(store, b"radiograph")
    assert store.exists(sha256)
    store.delete(sha256)
    assert not store.exists(sha256)


def test_deleting_what_is_not_there_is_no_error(store: LocalBlobStore) -> None:
    store.delete(ABSENT)
    assert not store.exists(ABSENT)


def test_opening_a_missing_blob_says_so_without_a_path(store: LocalBlobStore) -> None:
    with pytest.raises(BlobMissing) as caught:
        store.open(ABSENT)
    assert caught.value.message == "The image's bytes are missing from the storage."


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n"])
def test_only_a_sha256_can_name_a_blob(store: LocalBlobStore, name: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        store.open(name)


def test_bytes_and_directories_are_closed_to_other_accounts(store: LocalBlobStore) -> None:
    sha256 = put(store, b"radiograph")
    blob = store.root / sha256[:2] / sha256
    assert stat.S_IMODE(blob.stat().st_mode) == 0o600
    assert stat.S_IMODE(blob.parent.stat().st_mode) & 0o077 == 0


def test_a_store_opens_over_what_an_earlier_process_left(store: LocalBlobStore) -> None:
    sha256 = put(store, b"radiograph")
    assert read(LocalBlobStore(store.root), sha256) == b"radiograph"


def test_a_spool_at_the_limit_is_not_too_large(store: LocalBlobStore) -> None:
    with store.spool(LIMIT) as spool:
        spool.write(b"x" * LIMIT)
        assert not spool.too_large


def test_a_spool_beyond_the_limit_is_marked_and_takes_no_more_disk(store: LocalBlobStore) -> None:
    with store.spool(LIMIT) as spool:
        spool.write(b"x" * LIMIT)
        assert spool.write(b"y" * LIMIT) == LIMIT
        assert spool.too_large
        spool.sync()
        assert spool.path.stat().st_size == LIMIT
        assert spool.size_bytes == 2 * LIMIT


def test_a_spool_reads_like_a_file(store: LocalBlobStore) -> None:
    with store.spool(LIMIT) as spool:
        spool.write(b"abcdef")
        assert (spool.readable(), spool.seekable()) == (True, True)
        assert spool.seek(2) == 2
        assert (spool.read(2), spool.tell()) == (b"cd", 4)
        assert spool.seek(-1, os.SEEK_END) == 5


def test_a_spool_that_is_closed_leaves_no_file(store: LocalBlobStore) -> None:
    spool = store.spool(LIMIT)
    spool.write(b"half an up")
    spool.close()
    spool.close()
    assert files(store) == []


def test_a_spool_that_is_forgotten_leaves_no_file(store: LocalBlobStore) -> None:
    spool = store.spool(LIMIT)
    spool.write(b"half an up")
    del spool
    assert files(store) == []


def test_until_put_an_upload_is_seen_only_in_incoming(store: LocalBlobStore) -> None:
    spool = store.spool(LIMIT)
    spool.write(b"radiograph")
    spool.sync()
    assert files(store) == [f"incoming/{spool.path.name}"]
    sha256 = store.put(spool)
    assert files(store) == [f"{sha256[:2]}/{sha256}"]


def test_the_bytes_reach_the_disk_before_the_name_does(store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        events.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "bytes")
        fsync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    put(store, b"radiograph")
    assert events == ["bytes", "rename", "directory"]


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_apart_and_leaves_no_blob(store: LocalBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.spool(LIMIT) as spool:
        spool.write(b"radiograph")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageFull, match="The disk of the image storage is full"):
            store.put(spool)
        assert not store.exists(spool.sha256)
    assert files(store) == []


def test_a_disk_that_fills_up_while_writing_is_a_state_of_the_spool(store: LocalBlobStore) -> None:
    with store.spool(10_000_000) as spool, Path("/dev/full").open("r+b", buffering=0) as device:
        os.dup2(device.fileno(), spool._file.fileno())
        assert spool.write(b"x" * 1_000_000) == 1_000_000
        assert spool.full
        assert (spool.write(b"more"), spool.seek(0)) == (4, 0)
    assert files(store) == []


def test_so_is_a_disk_found_full_when_the_last_bytes_are_written_out(store: LocalBlobStore) -> None:
    with store.spool(LIMIT) as spool, Path("/dev/full").open("r+b", buffering=0) as device:
        os.dup2(device.fileno(), spool._file.fileno())
        spool.write(b"x")
        assert not spool.full
        spool.seek(0)
        assert spool.full
    assert files(store) == []


def test_a_spool_given_up_frees_its_space_at_once(store: LocalBlobStore) -> None:
    with store.spool(1_000_000) as spool:
        spool.write(b"x" * 500_000)
        spool.give_up()
        assert spool.path.stat().st_size == 0
    assert files(store) == []


def test_free_space_is_that_of_the_disk(store: LocalBlobStore) -> None:
    assert store.free_bytes() == pytest.approx(shutil.disk_usage(store.root).free, rel=0.1)


def test_a_root_that_cannot_be_made_is_storage_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageUnavailable, match="Could not create the image storage: Not a directory"):
        LocalBlobStore(tmp_path / "file" / "blobs").make(marker.new_id())


def test_opening_a_store_makes_nothing(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "not mounted")
    assert store.store_id() is None
    assert not store.holds_blobs()
    with pytest.raises(StorageUnavailable):
        store.spool(LIMIT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"0123", b"\xff" * 40, b"another program's file\n"])
def test_a_damaged_marker_is_none(store: LocalBlobStore, content: bytes) -> None:
    (store.root / marker.NAME).write_bytes(content)
    assert store.store_id() is None


def test_a_root_that_vanished_is_storage_unavailable(store: LocalBlobStore, tmp_path: Path) -> None:
    store.root.rename(tmp_path / "moved")
    with pytest.raises(StorageUnavailable, match="Could not write to the image storage"):
        store.spool(LIMIT)


def test_a_blob_that_cannot_be_read_is_storage_unavailable(store: LocalBlobStore) -> None:
    (store.root / "00" / ABSENT).mkdir()
    with pytest.raises(StorageUnavailable, match="Could not read the image storage"):
        store.open(ABSENT)


def test_a_storage_error_does_not_tell_a_path(store: LocalBlobStore, tmp_path: Path) -> None:
    store.root.rename(tmp_path / "moved")
    with pytest.raises(StorageUnavailable) as caught:
        store.spool(LIMIT)
    assert str(tmp_path) not in caught.value.message


def test_old_blobs_are_listed_by_their_first_byte(store: LocalBlobStore) -> None:
    old, young = put(store, b"old"), put(store, b"young")
    os.utime(store.root / old[:2] / old, (1000, 1000))
    assert store.stored_before(int(old[:2], 16), 2000) == [old]
    assert store.stored_before(int(young[:2], 16), 2000) == []
    assert store.stored_before(int(old[:2], 16), 1000) == []


def test_spools_of_uploads_that_were_cut_off_are_dropped(store: LocalBlobStore) -> None:
    old, young = store.spool(LIMIT), store.spool(LIMIT)
    os.utime(old.path, (1000, 1000))
    assert store.drop_spools(2000) == 1
    assert [path.name for path in (store.root / "incoming").iterdir()] == [young.path.name]
    old.close()
    young.close()


def test_a_copy_without_the_empty_folders_is_a_store_all_the_same(store: LocalBlobStore) -> None:
    """What a back-up by tar or rsync may bring: folders that hold something, and the marker."""
    kept = put(store, b"radiograph")
    for folder in store.root.iterdir():
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    assert read(store, put(store, b"another radiograph")) == b"another radiograph"
    assert [store.stored_before(number, 0) for number in range(256)] == [[]] * 256
    assert (store.drop_spools(0), read(store, kept)) == (0, b"radiograph")


def test_no_folder_is_made_where_there_is_no_marker(tmp_path: Path) -> None:
    (tmp_path / "unmounted").mkdir()
    with pytest.raises(StorageUnavailable):
        LocalBlobStore(tmp_path / "unmounted").spool(LIMIT)
    assert not list((tmp_path / "unmounted").iterdir())
