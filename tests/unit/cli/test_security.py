"""What the administration commands do to tokens, old jobs and the audit log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.storage import LocalBlobStore
from db import users
from db.models import AuditEntry, Job
from db.session import Database, now
from db.states import Scope
from tests import factories
from tests.unit.cli.conftest import Invoke


@pytest.fixture
def store(invoke: Invoke, tmp_path: Path, blob_root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("PNEUMOSCREEN_BLOB_DIR", str(blob_root))
    assert invoke("db", "upgrade").exit_code == 0
    database = Database(f"sqlite:///{tmp_path / 'data' / 'pneumoscreen.db'}")
    yield database
    database.dispose()
    for left in blob_root.glob("*/*"):
        left.unlink()


def test_a_token_of_some_scopes(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "gateway", "--no-password")
    token = invoke("token", "create", "gateway", "--scope", "submit", "--scope", "read").stdout.strip()
    with store.read() as session:
        found = users.check_token(session, token, now(session))
        assert found is not None
        assert users.scopes_of(found) == frozenset({Scope.READ, Scope.SUBMIT})
    assert "read submit" in invoke("token", "list").stdout
    assert invoke("token", "create", "gateway", "--scope", "everything").exit_code == 2


def test_what_the_commands_change_is_in_the_log(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "maria", "--role", "operator", input="a long password\n")
    invoke("user", "password", "maria", input="another long password\n")
    invoke("user", "disable", "maria")
    invoke("user", "enable", "maria")
    invoke("token", "create", "maria", "--scope", "read")
    invoke("token", "revoke", "maria")
    with store.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert {(e.actor, e.object_kind, e.object_id) for e in entries} == {("(cli)", "user", 1)}
    assert [(e.action, e.detail) for e in entries] == [
        ("user_added", "operator"),
        ("password_set", ""),
        ("user_disabled", ""),
        ("user_enabled", ""),
        ("token_created", "read"),
        ("token_revoked", "1 tokens"),
    ]


def jobs(store: Database) -> int:
    with store.read() as session:
        return session.scalars(select(func.count()).select_from(Job)).one()


def test_purge_deletes_old_jobs_and_what_crashes_left(invoke: Invoke, store: Database, blob_root: Path) -> None:
    with store.begin() as session:
        owner = factories.user(session)
        factories.job(session, owner)
        factories.job(session, owner).created_at = now(session) - timedelta(days=400)
    blobs = LocalBlobStore(blob_root)
    spool = blobs.spool(10)
    spool.write(b"orphan")
    orphan = blob_root / (sha256 := blobs.put(spool))[:2] / sha256
    os.utime(orphan, (1000, 1000))

    dry = invoke("db", "purge", "--older-than-days", "365", "--dry-run").stdout
    assert dry == "would delete 1 jobs and 1 files that belong to no image\n"
    assert (jobs(store), orphan.exists()) == (2, True)

    done = invoke("db", "purge", "--older-than-days", "365").stdout
    assert done == "deleted 1 jobs; removed 1 stored files and 0 unfinished uploads\n"
    assert (jobs(store), orphan.exists()) == (1, False)


def test_purge_without_an_age_deletes_no_job(invoke: Invoke, store: Database) -> None:
    with store.begin() as session:
        factories.job(session, factories.user(session)).created_at = now(session) - timedelta(days=4000)
    assert invoke("db", "purge").stdout.startswith("deleted 0 jobs")
    assert jobs(store) == 1
    assert invoke("db", "purge", "--older-than-days", "0").exit_code == 2
