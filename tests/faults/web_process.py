"""`pneumoscreen web` with moments, between a file's arrival and its message, at which a row may order a fault."""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session

from core import settings
from db.tables import Image
from launcher import lifeline
from storage.local import LocalBlobStore
from storage.spool import Spool
from tests.faults import clock, points
from web import backends
from web.server.serve import serve


class Store(LocalBlobStore):
    def put(self, spool: Spool) -> str:
        sha256 = super().put(spool)
        points.reached("after_blob")
        return sha256


def watch_commits() -> None:
    """Pass the moments around the commit that makes images of files."""

    @event.listens_for(Session, "do_orm_execute")
    def note(state: ORMExecuteState) -> None:
        if state.is_insert and state.bind_mapper is Image.__mapper__:
            state.session.info["accepting"] = True

    @event.listens_for(Session, "before_commit")
    def before(session: Session) -> None:
        if session.info.get("accepting"):
            points.reached("after_row")

    @event.listens_for(Session, "after_commit")
    def after(session: Session) -> None:
        if session.info.pop("accepting", False):
            points.reached("before_publish")


if __name__ == "__main__":
    clock.install()
    vars(backends)["open_store"] = lambda configured: Store(configured.storage.blobs)
    watch_commits()
    serve(settings.load(), lifeline.watch_from_environment)
