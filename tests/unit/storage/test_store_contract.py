"""What every blob store promises, whatever is behind it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import obstore
import pytest
from pydantic import SecretStr

from core.errors import BlobDamaged, BlobMissing, ConfigurationError, StorageUnavailable
from core.settings import Settings
from storage import marker
from storage.base import BlobStore
from storage.local import LocalBlobStore
from storage.open import open_store
from storage.s3 import PART_BYTES, S3BlobStore, _key
from tests.testing import object_server
from tests.testing.object_server import ObjectServer
from tests.testing.settings import change, make_settings

LIMIT = 30_000_000
ABSENT = "0" * 64
ID = "1" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectServer]:
    with object_server.serve() as server:
        yield server


def s3_settings(server: ObjectServer, data_dir: Path, **changes: object) -> Settings:
    return make_settings(data_dir=data_dir, **dict(server.settings) | changes)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        opened = open_store(make_settings(data_dir=tmp_path))
    else:
        where = s3_settings(request.getfixturevalue("server"), tmp_path)
        opened = open_store(change(where, storage_url=f"{where.storage.storage_url}/{marker.new_id()}"))
    opened.make(ID)
    return opened


def put(store: BlobStore, data: bytes) -> str:
    spool = store.spool(LIMIT)
    spool.write(data)
    return store.put(spool)


def read(store: BlobStore, sha256: str) -> bytes:
    with store.open(sha256) as blob:
        return blob.read()


def damage(store: BlobStore, sha256: str) -> None:
    """Half a blob under the name of the whole, as after a power cut of a disk that lied."""
    if isinstance(store, LocalBlobStore):
        (store.root / sha256[:2] / sha256).write_bytes(b"wh")
    elif isinstance(store, S3BlobStore):
        obstore.put(store._store, _key(sha256), b"wh")


@pytest.mark.parametrize("data", [b"", b"radiograph", bytes(range(256)) * 40_000])
def test_bytes_come_back_as_they_went_in(store: BlobStore, data: bytes) -> None:
    sha256 = put(store, data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert read(store, sha256) == data


def test_a_store_is_known_by_the_id_it_was_made_with(store: BlobStore) -> None:
    assert store.store_id() == ID
    sha256 = put(store, b"kept")
    store.make("2" * 32)
    assert (store.store_id(), store.exists(sha256)) == ("2" * 32, True)


def test_the_marker_is_no_blob(store: BlobStore) -> None:
    assert not store.holds_blobs()
    put(store, b"the first")
    assert store.holds_blobs()


def test_old_blobs_are_listed_by_their_first_byte(store: BlobStore) -> None:
    sha256 = put(store, b"old enough")
    tomorrow = time.time() + 86_400
    assert sha256 in store.stored_before(int(sha256[:2], 16), tomorrow)
    assert store.stored_before(int(sha256[:2], 16), 1000) == []
    assert sha256 not in store.stored_before((int(sha256[:2], 16) + 1) % 256, tomorrow)


def test_spools_of_uploads_that_were_cut_off_are_dropped(store: BlobStore) -> None:
    assert store.drop_spools(time.time() + 60) == 0
    left = store.spool(LIMIT)
    assert store.drop_spools(1000) == 0
    assert store.drop_spools(time.time() + 60) == 1
    assert not left.path.exists()
    left.close()


def test_a_blob_is_there_from_put_to_delete(store: BlobStore) -> None:
    sha256 = put(store, b"there and gone")
    assert store.exists(sha256)
    store.delete(sha256)
    assert not store.exists(sha256)
    store.delete(sha256)


def test_putting_the_same_bytes_again_changes_nothing(store: BlobStore) -> None:
    assert put(store, b"twice") == put(store, b"twice")
    assert read(store, hashlib.sha256(b"twice").hexdigest()) == b"twice"


def test_putting_the_bytes_of_a_damaged_blob_mends_it(store: BlobStore) -> None:
    """As the sentences say: upload the image, import the checkpoint again."""
    sha256 = put(store, b"whole")
    damage(store, sha256)
    assert put(store, b"whole") == sha256
    assert read(store, sha256) == b"whole"


def test_what_is_not_there_is_missing(store: BlobStore) -> None:
    with pytest.raises(BlobMissing) as caught:
        store.open(ABSENT)
    assert caught.value.message == "The image's bytes are missing from the storage."


@pytest.mark.parametrize("call", [BlobStore.open, BlobStore.exists, BlobStore.delete])
@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 64 + "\n"])
def test_only_a_sha256_names_a_blob(store: BlobStore, call: Callable[[BlobStore, str], object], name: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        getattr(store, call.__name__)(name)


def test_a_blob_can_be_read_again_from_its_start(store: BlobStore) -> None:
    sha256 = put(store, b"0123456789")
    with store.open(sha256) as blob:
        assert blob.read(4) == b"0123"
        blob.seek(0)
        assert blob.read() == b"0123456789"


def test_put_uses_its_spool_up(store: BlobStore) -> None:
    spool = store.spool(LIMIT)
    spool.write(b"used up")
    store.put(spool)
    assert spool.closed
    assert not spool.path.exists()


def test_a_spool_leaves_nothing_when_it_is_given_up(store: BlobStore) -> None:
    spool = store.spool(LIMIT)
    spool.write(b"given up")
    spool.close()
    assert not spool.path.exists()
    assert not store.exists(spool.sha256)


def test_a_large_upload_goes_in_parts(server: ObjectServer, tmp_path: Path) -> None:
    data = bytes(2 * PART_BYTES + 1)
    store = open_store(s3_settings(server, tmp_path))
    sha256 = put(store, data)
    assert read(store, sha256) == data
    assert f"images/{sha256[:2]}/{sha256}" in server.objects()


def test_other_bytes_than_were_stored_are_not_handed_out(server: ObjectServer, tmp_path: Path) -> None:
    store = open_store(s3_settings(server, tmp_path))
    sha256 = put(store, b"the right bytes")
    server.overwrite(sha256, b"other bytes")
    with pytest.raises(BlobDamaged, match="other bytes than were stored"):
        store.open(sha256)


def test_a_bucket_that_is_not_there_is_storage_unavailable(server: ObjectServer, tmp_path: Path) -> None:
    store = open_store(s3_settings(server, tmp_path, storage_url="s3://no-such-bucket"))
    with pytest.raises(StorageUnavailable, match="no such bucket"):
        put(store, b"radiograph")
    with pytest.raises(StorageUnavailable, match="no such bucket"):
        store.make(ID)
    assert store.store_id() is None


def test_a_server_that_does_not_answer_is_storage_unavailable(tmp_path: Path) -> None:
    silent = make_settings(
        data_dir=tmp_path,
        storage_url="s3://radiographs",
        s3_endpoint="http://127.0.0.1:9",
        s3_access_key_id=SecretStr("key"),
        s3_secret_access_key=SecretStr("very secret"),
    )
    store = S3BlobStore(silent)
    with closing(store.spool(LIMIT)) as spool, pytest.raises(StorageUnavailable) as caught:
        store.put(spool)
    assert "127.0.0.1" not in caught.value.message
    assert "secret" not in caught.value.message


def test_without_a_storage_url_it_is_a_folder(tmp_path: Path) -> None:
    assert isinstance(open_store(make_settings(data_dir=tmp_path)), LocalBlobStore)


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "storage.s3", None)
    with pytest.raises(ConfigurationError, match=r"pneumoscreen\[s3\]"):
        open_store(make_settings(data_dir=tmp_path, storage_url="s3://radiographs"))
