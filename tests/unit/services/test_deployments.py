"""Models of a service: imported into the blob store, deployed by a row, never removed as bytes that nobody needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import select

from core.errors import BlobDamaged, ModelInvalid, StorageMissing
from db import deployments, stores
from db.retention import erasure
from db.session import Database, now
from db.states import ModelRole
from db.tables import AuditEntry, Deployment
from model import registry
from services import checkpoints
from services.deployments import Deployments
from storage import marker
from storage.local import LocalBlobStore
from tests.testing import factories
from tests.unit.model.factories import save_model

SHIPPED = [entry.sha256 for entry in registry.all_shipped()]


@pytest.fixture
def store(blob_root: Path) -> Iterator[LocalBlobStore]:
    yield LocalBlobStore(blob_root)
    for left in blob_root.glob("[0-9a-f][0-9a-f]/*"):
        left.unlink()


@pytest.fixture
def service(database: Database, store: LocalBlobStore) -> Deployments:
    stores.adopt(database, store)
    return Deployments(database, store)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    save_model(folder / "one.safetensors", seed=1, name="one")
    save_model(folder / "two.safetensors", seed=2, name="two")
    return folder


def audit(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        return [(entry.action, entry.detail.split()[0]) for entry in entries]


def test_the_shipped_model_is_primary_before_anybody_deploys_one(service: Deployments) -> None:
    assert [model.sha256 for model in service.list()] == SHIPPED
    assert service.primary() == service.get("default")


def test_an_imported_checkpoint_is_in_the_store_and_in_the_list(
    service: Deployments, store: LocalBlobStore, files: Path, database: Database
) -> None:
    made = service.import_(files / "one.safetensors")
    assert service.import_(files / "one.safetensors") == made
    assert [model.sha256 for model in service.list()] == [*SHIPPED, made.sha256]
    assert service.primary().sha256 == registry.shipped().sha256
    with checkpoints.fetched(store, made.sha256) as entry:
        assert (entry.name, entry.sha256, entry.card) == (made.name, made.sha256, made.card)
    assert not entry.path.exists()
    assert audit(database) == [("model_imported", "one")]


def test_activating_is_a_row_with_its_history_and_going_back_is_the_same_command(
    service: Deployments, files: Path, database: Database
) -> None:
    one, two = (service.import_(files / f"{name}.safetensors").sha256 for name in ("one", "two"))
    for key in ("one", "two", "two", "default", "one"):
        service.activate(key)
    with database.read() as session:
        rows = session.scalars(select(Deployment).order_by(Deployment.id)).all()
        assert [(row.model_sha256, row.until is None) for row in rows] == [(one, False), (two, False), (one, True)]
        assert rows[0].until == rows[1].since
        assert {row.deployed_by for row in rows} == {"(cli)"}
        assert deployments.changed_at(session) == rows[-1].since
    words = [detail for action, detail in audit(database) if action == "model_activated"]
    assert words == ["one", "two", registry.shipped().name, "one"]
    assert service.primary().sha256 == one


def test_of_two_that_deploy_at_once_one_is_primary(service: Deployments, files: Path, database: Database) -> None:
    keys = [service.import_(files / f"{name}.safetensors").sha256 for name in ("one", "two")] * 4
    with ThreadPoolExecutor(len(keys)) as pool:
        list(pool.map(service.activate, keys))
    with database.read() as session:
        assert len(session.scalars(select(Deployment).where(Deployment.until.is_(None))).all()) == 1


def test_a_shadow_model_is_wanted_beside_the_primary_one(database: Database) -> None:
    with database.begin() as session:
        for sha256 in ("a" * 64, "b" * 64):
            factories.model(session, sha256)
        deployments.deploy(session, "a" * 64, by="ada", now=now(session))
        shadow = Deployment(model_sha256="b" * 64, role=ModelRole.SHADOW, since=now(session), deployed_by="ada")
        session.add(shadow)
        session.flush()
        assert deployments.wanted(session) == deployments.Wanted("a" * 64, frozenset({"b" * 64}))
        deployments.deploy(session, None, by="ada", now=now(session))
        assert deployments.wanted(session) == deployments.Wanted(None, frozenset({"b" * 64}))


def test_a_checkpoint_is_never_removed_as_bytes_without_an_image(
    service: Deployments, store: LocalBlobStore, files: Path, database: Database, blob_root: Path
) -> None:
    """Also one that is not deployed; and the picture beside it, which nobody refers to, is."""
    sha256 = service.import_(files / "one.safetensors").sha256
    stray = blob_root / "ab" / ("ab" * 32)
    stray.write_bytes(b"stray")
    for path in (stray, blob_root / sha256[:2] / sha256):
        os.utime(path, (0, 0))
    for first_byte in (0xAB, int(sha256[:2], 16)):
        erasure.mark_orphaned(database, store, first_byte)
    erasure.erase(database, store)
    assert not stray.exists()
    assert store.exists(sha256)


def test_an_image_of_the_same_bytes_that_is_deleted_leaves_the_checkpoint(
    service: Deployments, store: LocalBlobStore, files: Path, database: Database
) -> None:
    from db.retention import blobs

    sha256 = service.import_(files / "one.safetensors").sha256
    with database.begin() as session:
        blobs.ask_removal(session, [sha256], now(session))
    erasure.erase(database, store)
    assert store.exists(sha256)


def test_a_checkpoint_whose_bytes_the_store_finds_damaged_is_told_as_such(blob_root: Path) -> None:
    """An object store checks what it hands out itself; a worker must not wait for it as for a store that is away."""

    class Damaged(LocalBlobStore):
        def open(self, sha256: str) -> BinaryIO:
            raise BlobDamaged("The image storage gave other bytes than were stored.")

    fetching = checkpoints.fetched(Damaged(blob_root), "a" * 64)
    with pytest.raises(ModelInvalid, match="is damaged in the image storage; import it again"), fetching:
        pass


def test_what_is_no_checkpoint_is_refused_and_leaves_nothing(
    service: Deployments, store: LocalBlobStore, tmp_path: Path
) -> None:
    (tmp_path / "broken.safetensors").write_bytes(registry.DEFAULT.read_bytes()[:1000])
    with pytest.raises(ModelInvalid, match="damaged"):
        service.import_(tmp_path / "broken.safetensors")
    assert not store.holds_blobs()
    assert list((store.root / "incoming").iterdir()) == []


def test_nothing_is_imported_into_a_store_that_is_not_ours(
    service: Deployments, store: LocalBlobStore, files: Path
) -> None:
    path = store.root / marker.NAME
    before = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(StorageMissing):
            service.import_(files / "one.safetensors")
    finally:
        path.write_bytes(before)


def test_a_model_whose_checkpoint_is_gone_is_not_offered(
    service: Deployments, store: LocalBlobStore, files: Path
) -> None:
    sha256 = service.import_(files / "one.safetensors").sha256
    store.delete(sha256)
    with pytest.raises(ModelInvalid, match="There is no model 'one'"):
        service.activate("one")


def test_a_model_that_a_worker_of_the_release_before_had_as_a_file_is_not_offered(
    service: Deployments, database: Database
) -> None:
    with database.begin() as session:
        factories.model(session)
    assert [model.sha256 for model in service.list()] == SHIPPED


def test_another_model_of_the_code_is_deployed_without_an_import(
    service: Deployments, store: LocalBlobStore, database: Database
) -> None:
    model = service.activate("paediatric")
    assert model.sha256 == SHIPPED[1] == service.primary().sha256
    assert not store.exists(model.sha256)
    with checkpoints.fetched(store, model.sha256) as entry:
        assert entry.path == registry.PAEDIATRIC
    assert audit(database) == [("model_activated", model.name)]
