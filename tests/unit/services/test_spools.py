"""The spools of uploads: bounded in number, gone when they are closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import StorageFull, TooManyUploads
from services.ingest import Ingest
from services.spools import Spools
from storage.local import LocalBlobStore


def on_disk(store: LocalBlobStore) -> list[Path]:
    return list((store.root / "incoming").iterdir())


def test_more_files_than_a_process_may_open_are_refused(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.spools.MAX_OPEN", 2)
    first, second = ingest.spools(), ingest.spools()
    first.new()
    first.new()
    with pytest.raises(TooManyUploads) as caught:
        second.new()
    assert caught.value.retry_after_s == 5
    first.close()
    second.new()
    second.close()


def test_closing_removes_what_became_no_blob(spools: Spools, store: LocalBlobStore) -> None:
    spools.new().write(b"some bytes")
    assert len(on_disk(store)) == 1
    spools.close()
    assert on_disk(store) == []


def test_without_space_a_later_file_takes_nothing(spools: Spools, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spools.new()

    def full(*_: object, **__: object) -> None:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr("services.admission.Admission.check_space", full)
    assert (spools.new().full, first.full) == (True, False)
