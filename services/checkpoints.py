"""The checkpoints of models. They lie in the blob store, beside the images, so that every host can read them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import BlobDamaged, BlobMissing, ModelInvalid, StorageFull
from model import files, registry, weights
from model.registry import Entry
from storage.base import BlobStore, storage_errors

MAX_BYTES = 2_000_000_000
"""Forty times the largest ResNet-18: a limit against a wrong file."""


def put(store: BlobStore, file: Path) -> Entry:
    """Store a checkpoint after verifying card and weights; storing it twice changes nothing.

    Raises:
        ModelInvalid: not a checkpoint that this version can run.
        StorageUnavailable: the store takes nothing.
    """
    weights.check(file, files.read_card(file))  # so that no worker finds out only when it loads it
    entry = registry.entry(file)
    with store.spool(MAX_BYTES) as spool:
        with file.open("rb") as source:
            shutil.copyfileobj(source, spool)
        if spool.full:
            raise StorageFull("The disk of the image storage is full.")
        if spool.sha256 != entry.sha256:
            raise ModelInvalid(f"The model {file} was changed while it was read; import it again.")
        store.put(spool)
    return entry


@contextmanager
def fetched(store: BlobStore, sha256: str) -> Iterator[Entry]:
    """The checkpoint of this hash as a file on this host, for the time of the block.

    Those that come with the code are files anyway.

    Raises:
        ModelInvalid: it is not in the store, or damaged there.
        StorageUnavailable: the store does not answer.
    """
    if (shipped := _shipped(sha256)) is not None:
        yield shipped
        return
    with tempfile.TemporaryDirectory(prefix="pneumoscreen-model-") as folder:
        path = Path(folder, f"{sha256}.safetensors")
        try:
            with store.open(sha256) as blob, storage_errors("read"), path.open("wb") as target:
                shutil.copyfileobj(blob, target)
        except BlobMissing:
            raise ModelInvalid(
                f"The checkpoint of the model {sha256[:12]} is not in the image storage; import it again."
            ) from None
        except BlobDamaged as error:
            raise _damaged(sha256) from error
        try:
            entry = registry.entry(path, sha256)
        except ModelInvalid as error:
            raise _damaged(sha256) from error
        yield entry


def is_shipped(sha256: str) -> bool:
    """Whether this checkpoint comes with the code, so that no store need hold it."""
    return _shipped(sha256) is not None


def _shipped(sha256: str) -> Entry | None:
    if sha256 == registry.shipped().sha256:  # in most cases, and then no other file is read
        return registry.shipped()
    return next((entry for entry in registry.all_shipped() if entry.sha256 == sha256), None)


def _damaged(sha256: str) -> ModelInvalid:
    return ModelInvalid(f"The checkpoint of the model {sha256[:12]} is damaged in the image storage; import it again.")
