"""The models of a service: importing checkpoints, and deploying one to all workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from core.errors import ModelInvalid, StorageUnavailable
from db import audit, deployments, workers
from db.audit import Action, Actor, Kind
from db.retention import blobs
from db.session import Database, now
from db.stores import StoreCheck
from db.tables import Model
from model import registry
from model.card import Card
from model.registry import Entry
from services import checkpoints
from storage.base import BlobStore


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that can be deployed: one that comes with the code, or one whose checkpoint is in the blob store."""

    name: str
    sha256: str
    card: Card


def primary_sha256(session: Session) -> str:
    """The sha256 of the model that workers shall run.

    Raises:
        ModelInvalid: it is the shipped one, and its file is damaged.
    """
    return deployments.wanted(session).primary or registry.shipped().sha256


class Deployments:
    """Models in the database and their checkpoints in the blob store."""

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._database = database
        self._store = store

    def list(self) -> list[KnownModel]:
        """All models that can be deployed: the default one, the others of the code, then in the order of import."""
        shipped = registry.all_shipped()
        with self._database.read() as session:
            primary = deployments.wanted(session).primary
            rows = [row for row in deployments.models(session) if not checkpoints.is_shipped(row.sha256)]
        stored = [row for row in rows if row.sha256 == primary or self._store.exists(row.sha256)]
        return [*(KnownModel(entry.name, entry.sha256, entry.card) for entry in shipped), *map(_known, stored)]

    def get(self, key: str) -> KnownModel:
        """The model whose name is `key` or whose sha256 begins with it, or `default`, as `by_key` reads it.

        Raises:
            ModelInvalid: none or more than one.
        """
        return registry.by_key(self.list(), key)

    def primary(self) -> KnownModel:
        """The model that workers shall run."""
        with self._database.read() as session:
            sha256 = deployments.wanted(session).primary
        return self.get(sha256 or "default")

    def import_(self, file: Path, actor: Actor = audit.CLI) -> KnownModel:
        """Store a checkpoint and give it a row; importing it twice changes nothing.

        Raises:
            ModelInvalid: not a checkpoint that this version can run.
            StorageUnavailable: the store takes nothing, or is not the one of this database.
        """
        StoreCheck(self._database, self._store).require()
        entry = checkpoints.put(self._store, file)
        with self._database.begin() as session:
            if not blobs.lock_blobs(session, [entry.sha256], self._store.exists):
                raise StorageUnavailable("The checkpoint was removed from the storage meanwhile; import it again.")
            if session.get(Model, entry.sha256) is None:
                _register(session, entry)
                _record(session, actor, Action.MODEL_IMPORTED, entry.name, entry.sha256)
        return KnownModel(entry.name, entry.sha256, entry.card)

    def activate(self, key: str, actor: Actor = audit.CLI) -> KnownModel:
        """Make a model the primary one; workers change to it between two batches, within seconds.

        Raises:
            ModelInvalid: there is no such model, or its checkpoint is not in the store.
        """
        model = self.get(key)
        if not checkpoints.is_shipped(model.sha256) and not self._store.exists(model.sha256):
            raise ModelInvalid(f"The checkpoint of {model.name} is not in the image storage; import it again.")
        with self._database.begin() as session:
            # No row rather than the hash of the default one, so that an upgrade brings its own model into use.
            sha256 = None if model.sha256 == registry.shipped().sha256 else model.sha256
            if sha256 is not None:  # what comes with the code was never imported
                _register(session, model)
            if deployments.deploy(session, sha256, by=actor.name, now=now(session)):
                _record(session, actor, Action.MODEL_ACTIVATED, model.name, model.sha256)
        return model


def _known(row: Model) -> KnownModel:
    return KnownModel(row.name, row.sha256, Card.model_validate(row.card))


def _register(session: Session, model: KnownModel | Entry) -> None:
    card = model.card.model_dump(mode="json")
    workers.register_model(session, sha256=model.sha256, name=model.name, card=card, now=now(session))


def _record(session: Session, actor: Actor, action: Action, name: str, sha256: str) -> None:
    audit.record(session, actor, action, now(session), kind=Kind.MODEL, detail=f"{name} {sha256[:12]}")
