"""Imports what lies in the folder of models: checkpoints, and the choice that a release before had stored there.

Until release 0.1 a service kept its models as files, and the file `active` named the one in use.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from core.errors import ConfigurationError, ModelInvalid
from db import audit, deployments
from db.audit import Action, Kind
from db.session import Database, now
from db.tables import Model
from model import registry
from services import checkpoints
from services.deployments import Deployments
from storage.base import BlobStore

ACTIVE = "active"

log = structlog.get_logger()


def take_over(folder: Path, database: Database, store: BlobStore) -> list[str]:
    """Import the checkpoints of `folder` that the service does not have; safe to repeat. The files stay.

    The choice in the file `active` becomes a deployment, once, and the file goes. Returns sentences about files that
    are no checkpoints.

    Raises:
        ConfigurationError: the chosen model is not there: workers must not run another one instead.
        StorageUnavailable: the store takes nothing, or is not the one of this database.
    """
    problems = _import_all(folder, database, store)
    if (chosen := chosen_sha256(folder)) is not None:
        if checkpoints.is_shipped(chosen):
            _deploy_shipped(chosen, database, store)
        else:
            _deploy_imported(chosen, folder, database)
        _remove(folder / ACTIVE)
    return problems


def chosen_sha256(folder: Path) -> str | None:
    """What the file `active` names; None: there is none, or it was taken over already.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return (folder / ACTIVE).read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"Cannot read {folder / ACTIVE}, which names the model in use: remove it, and run "
            "`pneumoscreen model activate`."
        ) from error


def _import_all(folder: Path, database: Database, store: BlobStore) -> list[str]:
    problems: list[str] = []
    service = Deployments(database, store)
    for path in sorted(folder.glob("*.safetensors")):
        sha256 = registry.named_hash(path)
        if sha256 is not None and _is_there(sha256, database, store):
            continue
        try:
            service.import_(path, audit.UPGRADE)
        except ModelInvalid as error:
            problems.append(error.message)
    return problems


def _is_there(sha256: str, database: Database, store: BlobStore) -> bool:
    with database.read() as session:
        return session.get(Model, sha256) is not None and store.exists(sha256)


def _deploy_shipped(sha256: str, database: Database, store: BlobStore) -> None:
    with database.read() as session:
        if deployments.any_ever(session):
            return
    Deployments(database, store).activate(sha256, audit.UPGRADE)


def _deploy_imported(sha256: str, folder: Path, database: Database) -> None:
    with database.begin() as session:
        if deployments.any_ever(session):
            return
        model = session.get(Model, sha256)
        if model is None:
            raise ConfigurationError(
                f"The model in use, {sha256[:12]}, is not in {folder}: put its checkpoint there, or remove "
                f"{folder / ACTIVE} to use the model of this release."
            )
        at = now(session)
        deployments.deploy(session, sha256, by=audit.UPGRADE.name, now=at)
        detail = f"{model.name} {sha256[:12]}"
        audit.record(session, audit.UPGRADE, Action.MODEL_ACTIVATED, at, kind=Kind.MODEL, detail=detail)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"Cannot remove {path}, which has no use any more: {error.strerror}.") from error
