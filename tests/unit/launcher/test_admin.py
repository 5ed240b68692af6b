"""The first administrator."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from db import migrate, workers
from db.accounts import users
from db.session import Database, now
from db.states import Role
from launcher import admin
from launcher.datadir import read_secret
from tests.testing import factories


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    migrate.upgrade(url)
    database = Database(url)
    yield database
    database.dispose()


def can_use_token(session: Session, path: Path) -> bool:
    token = read_secret(path)
    return token is not None and users.check_token(session, token, now(session)) is not None


def test_the_first_start(store: Database, tmp_path: Path) -> None:
    made = admin.ensure(store, tmp_path)

    assert made.password is not None
    assert read_secret(made.password_path) == made.password
    assert {stat.S_IMODE(path.stat().st_mode) for path in (made.password_path, made.token_path)} == {0o600}
    with store.read() as session:
        user = users.check_password(session, "admin", made.password)
        assert user is not None
        assert user.role is Role.ADMIN
        assert can_use_token(session, made.token_path)


def test_later_starts_change_nothing(store: Database, tmp_path: Path) -> None:
    first = admin.ensure(store, tmp_path)
    token = read_secret(first.token_path)

    second = admin.ensure(store, tmp_path)

    assert second.password is None
    assert read_secret(second.password_path) == first.password
    assert read_secret(second.token_path) == token


def test_a_crash_before_the_commit_loses_no_password(store: Database, tmp_path: Path) -> None:
    (tmp_path / "admin-password").write_text("written before the crash\n")

    made = admin.ensure(store, tmp_path)

    assert made.password == "written before the crash"
    with store.read() as session:
        assert users.check_password(session, "admin", made.password) is not None


@pytest.mark.parametrize("content", [None, "", "pns_of_another_database"])
def test_a_token_that_is_of_no_use_is_replaced(store: Database, tmp_path: Path, content: str | None) -> None:
    path = admin.ensure(store, tmp_path).token_path
    path.unlink() if content is None else path.write_text(content)

    admin.ensure(store, tmp_path)

    with store.read() as session:
        assert can_use_token(session, path)


def test_a_disabled_admin_gets_no_new_token(store: Database, tmp_path: Path) -> None:
    path = admin.ensure(store, tmp_path).token_path
    with store.begin() as session:
        users.find(session, "admin").disabled_at = now(session)
    path.unlink()

    admin.ensure(store, tmp_path)

    assert not path.exists()


def test_workers_that_were_killed_do_not_count_as_ready(store: Database) -> None:
    with store.begin() as session:
        sha256 = factories.model(session)
        workers.register(session, name="w", engine="e", model_sha256=sha256, now=now(session))

    admin.forget_workers(store)

    with store.read() as session:
        assert list(workers.alive(session, now(session))) == []
