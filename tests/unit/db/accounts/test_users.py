"""Users, passwords and tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.errors import Conflict, InvalidInput, NotFound
from db.accounts import users
from db.session import Database, now
from db.states import Role, Scope
from db.tables import Token
from tests.testing import factories

PASSWORD = "correct horse battery"


def test_a_user_is_found_by_name(database: Database) -> None:
    with database.begin() as session:
        added = factories.user(session, "ada", Role.CLINICIAN)
        assert users.find(session, "ada") is added
    assert added.role is Role.CLINICIAN


def test_an_unknown_user_is_named_in_the_error(database: Database) -> None:
    with database.read() as session, pytest.raises(NotFound, match="no user named 'bob'"):
        users.find(session, "bob")


def test_everyone_is_listed_by_name(database: Database) -> None:
    with database.begin() as session:
        for name in ("carol", "ada", "bob"):
            factories.user(session, name)
        assert [user.name for user in users.everyone(session)] == ["ada", "bob", "carol"]


def test_a_name_is_taken_once(database: Database) -> None:
    with database.begin() as session:
        factories.user(session)
        with pytest.raises(Conflict, match="already a user named 'ada'"):
            factories.user(session)


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_has_1_to_64_characters(database: Database, name: str) -> None:
    with database.begin() as session, pytest.raises(InvalidInput, match="1 to 64"):
        factories.user(session, name)


def test_the_password_itself_is_not_kept(database: Database) -> None:
    with database.begin() as session:
        user = factories.user(session, password=PASSWORD)
    assert user.password_hash is not None
    assert user.password_hash.startswith("$argon2id$")
    assert PASSWORD not in user.password_hash


def test_a_short_password_is_refused(database: Database) -> None:
    with database.begin() as session, pytest.raises(InvalidInput, match="at least 12"):
        factories.user(session, password="x" * 11)


def test_name_and_password_together_give_the_user(database: Database) -> None:
    with database.begin() as session:
        user = factories.user(session, password=PASSWORD)
        assert users.check_password(session, "ada", PASSWORD) is user


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("ada", ""), ("bob", PASSWORD), ("", "")])
def test_a_wrong_name_or_password_gives_nobody(database: Database, name: str, password: str) -> None:
    with database.begin() as session:
        factories.user(session, password=PASSWORD)
        assert users.check_password(session, name, password) is None


def test_a_user_without_a_password_cannot_sign_in(database: Database) -> None:
    with database.begin() as session:
        factories.user(session)
        assert users.check_password(session, "ada", "") is None


def test_a_disabled_user_can_neither_sign_in_nor_use_a_token(database: Database) -> None:
    with database.begin() as session:
        user = factories.user(session, password=PASSWORD)
        token = users.create_token(session, user, now=now(session))
        user.disabled_at = now(session)
        session.flush()
        assert users.check_password(session, "ada", PASSWORD) is None
        assert users.check_token(session, token, now(session)) is None


def test_a_new_password_replaces_the_old_one(database: Database) -> None:
    with database.begin() as session:
        user = factories.user(session, password=PASSWORD)
        users.set_password(session, user, "another long password")
        session.flush()
        assert users.check_password(session, "ada", PASSWORD) is None
        assert users.check_password(session, "ada", "another long password") is user


@pytest.mark.parametrize("change", ["nothing", "password", "disable"])
def test_a_change_since_a_user_was_read_is_noticed(database: Database, change: str) -> None:
    with database.begin() as session:
        before = factories.user(session, password=PASSWORD)
    with database.begin() as session:
        user = users.find(session, "ada")
        if change == "password":
            users.set_password(session, user, PASSWORD)
        elif change == "disable":
            users.disable(session, user, now(session))
    with database.begin() as session:
        assert users.unchanged(session, before) is (change == "nothing")


def test_a_token_gives_its_user_and_is_kept_only_as_a_hash(database: Database) -> None:
    with database.begin() as session:
        user = factories.user(session)
        token = users.create_token(session, user, now=now(session))
        assert token.startswith("pns_")
        row = users.check_token(session, token, now(session))
        assert row is not None
        assert row.user is user
        assert users.scopes_of(row) is None
        assert token not in session.scalars(select(Token.token_sha256)).one()


@pytest.mark.parametrize("token", ["", "pns_", "pns_guess"])
def test_an_unknown_token_gives_nobody(database: Database, token: str) -> None:
    with database.begin() as session:
        users.create_token(session, factories.user(session), now=now(session))
        assert users.check_token(session, token, now(session)) is None


def test_a_token_ends_at_its_time(database: Database) -> None:
    with database.begin() as session:
        made_at = now(session)
        token = users.create_token(session, factories.user(session), now=made_at, days=1)
        session.flush()
        assert users.check_token(session, token, made_at + timedelta(hours=23)) is not None
        assert users.check_token(session, token, made_at + timedelta(days=1)) is None


def test_revoking_ends_all_tokens_of_one_user(database: Database) -> None:
    with database.begin() as session:
        ada, bob = factories.user(session, "ada"), factories.user(session, "bob")
        tokens = [users.create_token(session, user, now=now(session)) for user in (ada, ada, bob)]
        session.flush()
        assert users.revoke_tokens(session, ada) == 2
        left = [users.check_token(session, token, now(session)) for token in tokens]
        assert [token and token.user for token in left] == [None, None, bob]


def test_a_token_of_some_scopes_says_which(database: Database) -> None:
    with database.begin() as session:
        scopes = [Scope.SUBMIT, Scope.READ, Scope.READ]
        token = users.create_token(session, factories.user(session), now=now(session), scopes=scopes)
        row = users.check_token(session, token, now(session))
        assert row is not None
        assert users.scopes_of(row) == frozenset({Scope.READ, Scope.SUBMIT})
