"""`db`, `user` and `token` on the database of the data directory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cli import database as databases
from core.errors import ConfigurationError
from db.accounts import users
from db.session import Database, now
from services import schema
from tests.unit.cli.conftest import Invoke

PASSWORD = "a long password"


@pytest.fixture
def store(invoke: Invoke, tmp_path: Path) -> Iterator[Database]:
    """The database that the commands use, upgraded by `db upgrade`."""
    assert invoke("db", "upgrade").exit_code == 0
    database = Database(f"sqlite:///{tmp_path / 'data' / 'pneumoscreen.db'}")
    yield database
    database.dispose()


def test_upgrade_makes_the_directory_and_the_schema(invoke: Invoke, tmp_path: Path) -> None:
    first, second = invoke("db", "upgrade"), invoke("db", "upgrade")

    assert first.stdout.startswith("upgraded from empty to 0")
    assert second.stdout.startswith("already at 0")
    assert (tmp_path / "data" / "pneumoscreen.db").exists()


def test_current(invoke: Invoke, store: Database) -> None:
    with store.read() as session:
        session.connection().exec_driver_sql("SELECT 1")

    assert invoke("db", "current").stdout.strip().isalnum()


@pytest.mark.parametrize("command", [("db", "current"), ("user", "list"), ("token", "list")])
def test_a_database_that_was_never_made(invoke: Invoke, tmp_path: Path, command: tuple[str, ...]) -> None:
    result = invoke(*command)

    assert result.exit_code == 2
    assert "There is no database at" in result.stderr
    assert "pneumoscreen up" in result.stderr
    assert not (tmp_path / "data").exists(), "looking makes nothing"


def test_a_database_without_its_migrations(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "pneumoscreen.db").touch()

    assert "run `pneumoscreen db upgrade`" in invoke("user", "list").stderr
    assert invoke("db", "current").stdout.startswith("empty (this version needs 0")


def test_a_server_that_does_not_answer(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_DATABASE_URL", "postgresql://ada:hunter2@127.0.0.1:9/x?connect_timeout=2")

    result = invoke("user", "list")

    assert result.exit_code == 2
    assert "Cannot use the database postgresql://ada:***@127.0.0.1:9/x" in result.stderr
    assert "hunter2" not in result.output


def test_the_file_of_an_sqlite_url() -> None:
    assert schema.sqlite_path("sqlite:////srv/p.db") == Path("/srv/p.db")
    assert schema.sqlite_path("sqlite://") is None
    assert schema.sqlite_path("postgresql://host/x") is None
    with pytest.raises(ConfigurationError, match=r"no database at /none/p\.db"):
        databases.require_file("sqlite:////none/p.db")


def test_adding_a_user_who_can_sign_in(invoke: Invoke, store: Database) -> None:
    result = invoke("user", "add", "maria", "--role", "operator", input=f"{PASSWORD}\n")

    assert result.exit_code == 0
    assert result.stdout == "added operator 'maria'\n"
    with store.read() as session:
        user = users.check_password(session, "maria", PASSWORD)
        assert user is not None
        assert user.role.value == "operator"


def test_a_user_without_a_password_cannot_sign_in(invoke: Invoke, store: Database) -> None:
    assert invoke("user", "add", "gateway", "--no-password").exit_code == 0

    with store.read() as session:
        assert users.find(session, "gateway").password_hash is None


@pytest.mark.parametrize(("name", "password"), [("maria", "short\n"), ("", f"{PASSWORD}\n"), ("x" * 65, "\n")])
def test_a_user_that_cannot_be_added(invoke: Invoke, store: Database, name: str, password: str) -> None:
    result = invoke("user", "add", name, input=password)

    assert result.exit_code == 2
    with store.read() as session:
        assert users.everyone(session) == []


def test_the_same_name_twice(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "maria", "--no-password")

    result = invoke("user", "add", "maria", "--no-password")

    assert result.exit_code == 2
    assert result.stderr == "pneumoscreen: There is already a user named 'maria'.\n"
    with store.read() as session:
        assert len(users.everyone(session)) == 1


def test_an_unknown_role_is_wrong_usage(invoke: Invoke, store: Database) -> None:
    result = invoke("user", "add", "maria", "--role", "king")

    assert result.exit_code == 2
    with store.read() as session:
        assert users.everyone(session) == []


def test_changing_a_password(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "maria", input=f"{PASSWORD}\n")

    assert invoke("user", "password", "maria", input="another password\n").exit_code == 0

    with store.read() as session:
        assert users.check_password(session, "maria", PASSWORD) is None
        assert users.check_password(session, "maria", "another password") is not None


@pytest.mark.usefixtures("store")
def test_an_unknown_user(invoke: Invoke) -> None:
    for command in (("user", "password"), ("user", "disable"), ("token", "create"), ("token", "revoke")):
        result = invoke(*command, "nobody", input=f"{PASSWORD}\n")
        assert result.exit_code == 2
        assert "There is no user named 'nobody'" in result.stderr


def test_disabling_shuts_out_tokens_too(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "maria", input=f"{PASSWORD}\n")
    token = invoke("token", "create", "maria").stdout.strip()

    invoke("user", "disable", "maria")

    with store.read() as session:
        assert users.check_token(session, token, now(session)) is None
    assert "disabled" in invoke("user", "list").stdout
    assert "disabled user" in invoke("token", "list").stdout
    invoke("user", "enable", "maria")
    with store.read() as session:
        assert users.check_token(session, token, now(session)) is not None


@pytest.mark.usefixtures("store")
def test_listing_users(invoke: Invoke) -> None:
    invoke("user", "add", "zoe", "--role", "admin", "--no-password")
    invoke("user", "add", "ada", "--no-password")

    lines = invoke("user", "list").stdout.splitlines()

    assert lines[0].split() == ["name", "role", "since", "state"]
    assert [line.split()[:2] for line in lines[1:]] == [["ada", "clinician"], ["zoe", "admin"]]


def test_a_token_is_printed_alone(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "maria", "--no-password")

    token = invoke("token", "create", "maria", "--days", "30").stdout

    assert token == token.strip() + "\n"
    with store.read() as session:
        time = now(session)
        assert users.check_token(session, token.strip(), time) is not None
        assert users.check_token(session, token.strip(), time + timedelta(days=31)) is None


@pytest.mark.usefixtures("store")
def test_listing_tokens_never_shows_them(invoke: Invoke) -> None:
    invoke("user", "add", "maria", "--no-password")
    token = invoke("token", "create", "maria").stdout.strip()

    out = invoke("token", "list").stdout

    assert "maria" in out
    assert "never" in out
    assert token not in out


def test_revoking_one_or_all(invoke: Invoke, store: Database) -> None:
    invoke("user", "add", "maria", "--no-password")
    tokens = [invoke("token", "create", "maria").stdout.strip() for _ in range(3)]

    def valid() -> list[bool]:
        with store.read() as session:
            return [users.check_token(session, token, now(session)) is not None for token in tokens]

    assert invoke("token", "revoke", "maria", "--number", "2").stdout == "revoked 1 token of 'maria'\n"
    assert valid() == [True, False, True]
    assert invoke("token", "revoke", "maria", "--number", "2").exit_code == 2
    assert invoke("token", "revoke", "maria").stdout == "revoked 2 tokens of 'maria'\n"
    assert valid() == [False, False, False]


def test_upgrade_marks_the_storage_of_a_new_database(invoke: Invoke, tmp_path: Path) -> None:
    assert invoke("db", "upgrade").exit_code == 0
    assert (tmp_path / "data" / "blobs" / "store-id").is_file()


def test_a_storage_without_its_marker_is_told_and_can_be_adopted(invoke: Invoke, tmp_path: Path) -> None:
    invoke("db", "upgrade")
    (tmp_path / "data" / "blobs" / "store-id").unlink()
    again = invoke("db", "upgrade")
    assert again.exit_code == 0
    assert "The image storage is not there" in again.stderr
    assert "pneumoscreen db adopt-store" in again.stderr
    assert "is not there" in invoke("db", "purge").stderr
    assert invoke("db", "adopt-store").exit_code == 0
    assert invoke("db", "upgrade").stderr == ""
