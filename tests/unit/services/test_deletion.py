"""Deleting a job: rows and bytes, and what happens while the storage refuses."""

from __future__ import annotations

from typing import NoReturn

import pytest
from sqlalchemy import select

from core.errors import NotFound, StorageUnavailable
from db.session import Database
from db.tables import AuditEntry, Image, Job
from services.caller import Caller
from services.deletion import delete_job
from services.ingest import Ingest
from storage.local import LocalBlobStore
from tests.unit.services.conftest import MakeFile


@pytest.fixture
def sent(ingest: Ingest, caller: Caller, arrived: MakeFile) -> Image:
    image = ingest.receive_single(caller, arrived())
    assert isinstance(image, Image)
    return image


def test_rows_and_bytes_go_and_the_entry_stays(
    database: Database, store: LocalBlobStore, caller: Caller, sent: Image
) -> None:
    assert delete_job(database, store, caller, sent.job_id) == 1
    assert not store.exists(sent.sha256)
    with database.read() as session:
        assert session.scalars(select(Job)).all() == []
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.object_id, entry.detail) == ("deleted", sent.job_id, "1 image")
    with pytest.raises(NotFound):
        delete_job(database, store, caller, sent.job_id)


def test_bytes_that_the_storage_keeps_are_left_to_the_sweeper(
    database: Database, store: LocalBlobStore, caller: Caller, sent: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise StorageUnavailable("The disk is read-only.")

    monkeypatch.setattr(LocalBlobStore, "delete", refuse)
    assert delete_job(database, store, caller, sent.job_id) == 1
    assert store.exists(sent.sha256)
    with database.read() as session:
        assert session.scalars(select(Job)).all() == []
