"""Sessions end: unused, in any case, by a new password, with a disabled user. Searches are their user's alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text

from db import migrate
from db.accounts import searches, sessions, users
from db.accounts.sessions import Limits
from db.session import Database, now
from db.tables import BrowserSession, Search
from tests.testing import factories

LIMITS = Limits(idle=timedelta(hours=2), absolute=timedelta(hours=5))
MINUTE = timedelta(minutes=1)


@pytest.fixture
def started(database: Database) -> tuple[str, datetime]:
    """The id of a session of `ada`, and when it began."""
    with database.begin() as session:
        at = now(session)
        return sessions.start(session, factories.user(session), LIMITS, at), at


def lives(database: Database, session_id: str, at: datetime, limits: Limits = LIMITS) -> bool:
    with database.read() as session:
        return sessions.find(session, session_id, limits, at) is not None


def test_only_the_hash_of_an_id_is_kept(database: Database, started: tuple[str, datetime]) -> None:
    session_id, at = started
    with database.read() as session:
        row = session.execute(text("SELECT * FROM sessions")).one()
        valid = sessions.find(session, session_id, LIMITS, at)
        assert valid is not None
        assert valid.user.name == "ada"
        assert sessions.find(session, valid.id_sha256, LIMITS, at) is None
    assert session_id not in str(row)
    assert len(session_id) == 43


def test_it_ends_when_it_is_not_used(database: Database, started: tuple[str, datetime]) -> None:
    session_id, at = started
    assert lives(database, session_id, at + LIMITS.idle - MINUTE)
    assert not lives(database, session_id, at + LIMITS.idle)
    with database.begin() as session:
        sessions.touch(session, session_id, at + LIMITS.idle - MINUTE)
    assert lives(database, session_id, at + LIMITS.idle)


def test_it_ends_however_much_it_is_used(database: Database, started: tuple[str, datetime]) -> None:
    session_id, at = started
    with database.begin() as session:
        sessions.touch(session, session_id, at + LIMITS.absolute - MINUTE)
    assert lives(database, session_id, at + LIMITS.absolute - MINUTE)
    assert not lives(database, session_id, at + LIMITS.absolute)


def test_a_shorter_limit_holds_for_sessions_that_began_before_it(
    database: Database, started: tuple[str, datetime]
) -> None:
    session_id, at = started
    shorter = Limits(LIMITS.idle, timedelta(minutes=30))
    assert not lives(database, session_id, at + timedelta(minutes=31), shorter)


def test_what_comes_after_its_end_does_not_bring_it_back(database: Database, started: tuple[str, datetime]) -> None:
    session_id, at = started
    with database.begin() as session:
        sessions.end(session, session_id)
        sessions.write(session, session_id, {"late": True})
        sessions.touch(session, session_id, at + MINUTE)
    with database.read() as session:
        assert session.scalars(select(BrowserSession)).all() == []


def test_a_new_password_ends_the_others_of_that_user(database: Database, started: tuple[str, datetime]) -> None:
    session_id, at = started
    with database.begin() as session:
        ada, bob = users.find(session, "ada"), factories.user(session, "bob")
        kept, theirs = sessions.start(session, ada, LIMITS, at), sessions.start(session, bob, LIMITS, at)
        users.set_password(session, ada, "another long password", but=kept)
    assert [lives(database, key, at) for key in (session_id, kept, theirs)] == [False, True, True]


def test_disabling_ends_all_and_enabling_brings_none_back(database: Database, started: tuple[str, datetime]) -> None:
    session_id, at = started
    with database.begin() as session:
        users.disable(session, users.find(session, "ada"), at)
    with database.begin() as session:
        users.find(session, "ada").disabled_at = None
    assert not lives(database, session_id, at)


def test_ended_rows_are_dropped_and_the_others_stay(database: Database, started: tuple[str, datetime]) -> None:
    session_id, at = started
    with database.begin() as session:
        used = sessions.start(session, users.find(session, "ada"), LIMITS, at)
        sessions.touch(session, used, at + LIMITS.idle)
        sessions.forget(session, LIMITS, at + LIMITS.idle)
        assert len(session.scalars(select(BrowserSession)).all()) == 1
    assert [lives(database, key, at + LIMITS.idle) for key in (session_id, used)] == [False, True]
    with database.begin() as session:
        sessions.forget(session, LIMITS, at + LIMITS.absolute)
        assert session.scalars(select(BrowserSession)).all() == []


def test_a_search_is_found_by_its_user_alone_and_for_a_time(database: Database) -> None:
    with database.begin() as session:
        ada, bob = factories.user(session), factories.user(session, "bob")
        at = now(session)
        kept = searches.keep(session, ada.id, "mustermann", at)
        assert searches.text_of(session, ada.id, kept.key, at) == "mustermann"
        assert searches.text_of(session, bob.id, kept.key, at) is None
        assert searches.text_of(session, ada.id, kept.key, kept.expires_at) is None
        searches.forget(session, kept.expires_at)
        assert session.scalars(select(Search)).all() == []


def test_a_user_keeps_a_bounded_number_of_searches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "MAX_PER_USER", 3)
    with database.begin() as session:
        ada, bob = factories.user(session), factories.user(session, "bob")
        searches.keep(session, bob.id, "theirs", now(session))
        for number in range(5):
            searches.keep(session, ada.id, str(number), now(session))
        assert session.scalars(select(Search.text).order_by(Search.id)).all() == ["theirs", "2", "3", "4"]


def test_the_tables_come_and_go_beside_users_with_passwords(empty_database_url: str) -> None:
    migrate.upgrade(empty_database_url)
    migrate.downgrade(empty_database_url, "0007")
    database = Database(empty_database_url)
    with database.begin() as session:
        factories.user(session, password="correct horse battery")
    migrate.upgrade(empty_database_url)
    with database.begin() as session:
        ada = users.check_password(session, "ada", "correct horse battery")
        assert ada is not None
        session_id = sessions.start(session, ada, LIMITS, now(session))
    with database.read() as session:
        assert sessions.find(session, session_id, LIMITS, now(session)) is not None
    migrate.downgrade(empty_database_url, "0007")
    with database.read() as session:
        assert users.check_password(session, "ada", "correct horse battery") is not None
    database.dispose()
