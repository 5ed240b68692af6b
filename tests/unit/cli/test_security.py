"""What the administration commands do to tokens, old jobs and the audit log."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.accounts import sessions, users
from db.session import Database, now
from db.states import Scope
from db.tables import AuditEntry, BrowserSession, Job
from storage.local import LocalBlobStore
from tests.testing import factories
from tests.unit.cli.conftest import Invoke

LIMITS = sessions.Limits(timedelta(hours=1), timedelta(hours=2))


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
        row = users.check_token(session, token, now(session))
        assert row is not None
        assert users.scopes_of(row) == frozenset({Scope.READ, Scope.SUBMIT})
    assert "read submit" in invoke("token", "list").stdout
    assert invoke("token", "create", "gateway", "--scope", "everything").exit_code == 2


def test_what_the_commands_change_is_in_the_log(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "maria", "--role", "operator", input="a long password\n")
    invoke("user", "password", "maria", input="another long password\n")
    invoke("user", "sign-out", "maria")
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
        ("signed_out", "0 sessions"),
        ("user_disabled", ""),
        ("user_enabled", ""),
        ("token_created", "read"),
        ("token_revoked", "1 tokens"),
    ]


def maria_with_a_session_and_two_tokens(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "maria", input="a long password\n")
    with store.begin() as session:
        maria = users.find(session, "maria")
        sessions.start(session, maria, LIMITS, now(session))
        users.create_token(session, maria, now=now(session))
        users.create_token(session, maria, now=now(session))


def left(store: Database) -> tuple[int, int]:
    """Sessions and tokens."""
    with store.read() as session:
        maria = users.find(session, "maria")
        return len(session.scalars(select(BrowserSession)).all()), users.count_tokens(session, maria)


@pytest.mark.parametrize(
    ("option", "tokens", "words"),
    [((), 2, "0 revoked, 2 left"), (("--keep-tokens",), 2, "2 left"), (("--revoke-tokens",), 0, "2 revoked, 0 left")],
)
def test_a_new_password_ends_sessions_and_tells_of_tokens(
    invoke: Invoke, store: Database, option: tuple[str, ...], tokens: int, words: str
) -> None:
    maria_with_a_session_and_two_tokens(invoke, store)
    assert words in invoke("user", "password", "maria", *option, input="another long password\n").stdout
    assert left(store) == (0, tokens)


@pytest.mark.parametrize(("answer", "tokens"), [(True, 0), (False, 2)])
def test_on_a_terminal_it_asks_about_the_tokens(
    invoke: Invoke, store: Database, monkeypatch: pytest.MonkeyPatch, answer: bool, tokens: int
) -> None:
    maria_with_a_session_and_two_tokens(invoke, store)
    asked: list[str] = []

    def confirm(question: str, *, default: bool) -> bool:
        asked.append(question)
        return answer and not default

    monkeypatch.setattr("cli.user.read_password", lambda: "another long password")
    monkeypatch.setattr("cli.user._on_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", confirm)
    assert invoke("user", "password", "maria").exit_code == 0
    assert asked == ["'maria' has 2 API tokens. Revoke?"]
    assert left(store) == (0, tokens)


@pytest.mark.parametrize("command", ["disable", "sign-out"])
def test_the_sessions_of_a_user_are_ended(invoke: Invoke, store: Database, command: str) -> None:
    maria_with_a_session_and_two_tokens(invoke, store)
    assert invoke("user", command, "maria").exit_code == 0
    assert left(store) == (0, 2)


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
