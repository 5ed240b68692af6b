"""Which model is primary and which are shadow: what operators decided, and since when.

The primary model is the one that comes with the release, without a row here, until somebody deploys another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from db import dialect
from db.dialect import Lock
from db.states import ModelRole
from db.tables import Deployment, Model

_OPEN = Deployment.until.is_(None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The models that workers shall run, by sha256. `primary` None: the one that comes with the release."""

    primary: str | None = None
    shadows: frozenset[str] = frozenset()


def wanted(session: Session) -> Wanted:
    """The models that workers shall run at present. Each worker reads them with its heartbeat: a few rows."""
    rows = session.execute(select(Deployment.role, Deployment.model_sha256).where(_OPEN)).all()
    primary = next((sha256 for role, sha256 in rows if role is ModelRole.PRIMARY), None)
    return Wanted(primary, frozenset(sha256 for role, sha256 in rows if role is ModelRole.SHADOW))


def changed_at(session: Session) -> datetime | None:
    """When the primary model last changed; None: never."""
    latest = func.max(func.coalesce(Deployment.until, Deployment.since))
    return session.scalars(select(latest).where(Deployment.role == ModelRole.PRIMARY)).one()


def deploy(session: Session, model_sha256: str | None, *, by: str, now: datetime) -> bool:
    """Make a model that has a row in `models` the primary one, or with None the one that comes with the release.

    Returns False if it is that already.
    """
    dialect.lock(session.connection(), Lock.DEPLOYMENTS)  # reading what is deployed needs no lock
    if wanted(session).primary == model_sha256:
        return False
    session.execute(
        update(Deployment)
        .where(Deployment.role == ModelRole.PRIMARY, _OPEN)
        .values(until=now)
        .execution_options(synchronize_session=False)
    )
    if model_sha256 is not None:
        session.add(Deployment(model_sha256=model_sha256, role=ModelRole.PRIMARY, since=now, deployed_by=by))
        session.flush()
    return True


def any_ever(session: Session) -> bool:
    """Whether anybody has ever deployed a model."""
    return bool(session.scalars(select(exists().select_from(Deployment))).one())


def models(session: Session) -> Sequence[Model]:
    """Every model that was imported or that a worker has loaded, in the order of import."""
    return session.scalars(select(Model).order_by(Model.created_at, Model.sha256)).all()
