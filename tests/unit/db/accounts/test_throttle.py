"""How often a sign-in may fail, by a clock that the test moves."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from db.accounts import throttle
from db.accounts.throttle import PER_ADDRESS, PER_NAME, PER_NAME_AND_ADDRESS, Attempt
from db.session import Database
from db.tables import SignInFailures

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAIR = PER_NAME_AND_ADDRESS.failures


class Door:
    """Attempts that fail, at a time of the test's choice."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.at = START

    def wait_s(self, name: str = "ada", address: str = "192.0.2.1") -> int | None:
        """Try once; None: the password would be looked at."""
        with self.database.begin() as session:
            return Attempt(name, address).begin(session, self.at)

    def succeed(self, name: str = "ada", address: str = "192.0.2.1") -> None:
        with self.database.begin() as session:
            attempt = Attempt(name, address)
            assert attempt.begin(session, self.at) is None
            attempt.succeeded(session)

    def keys(self) -> int:
        with self.database.read() as session:
            return session.scalars(select(func.count()).select_from(SignInFailures)).one()


@pytest.fixture
def door(database: Database) -> Door:
    return Door(database)


def test_the_sixth_failure_from_one_place_waits_for_the_end_of_the_window(door: Door) -> None:
    assert [door.wait_s() for _ in range(PAIR)] == [None] * PAIR
    door.at += timedelta(minutes=5)
    assert door.wait_s() == 600
    door.at += timedelta(seconds=599)
    assert door.wait_s() == 1  # trying meanwhile did not push the end out
    door.at += timedelta(seconds=1)
    assert door.wait_s() is None


def test_who_is_shut_out_in_one_place_may_sign_in_from_another(door: Door) -> None:
    for _ in range(4):
        waits = [door.wait_s(address="203.0.113.9") for _ in range(20)]
        assert waits.count(None) == PAIR  # the others count nowhere else
        door.at += PER_NAME_AND_ADDRESS.window
    door.at -= timedelta(seconds=1)
    assert door.wait_s(address="192.0.2.1") is None


def test_a_name_that_many_places_try_is_closed_after_fifty_an_hour(door: Door) -> None:
    waits = [door.wait_s(address=f"198.51.100.{i}") for i in range(PER_NAME.failures + 1)]
    assert waits == [None] * PER_NAME.failures + [3600]
    assert door.wait_s("bob", address="198.51.100.1") is None


def test_a_place_that_tries_many_names_is_closed_after_fifty(door: Door) -> None:
    waits = [door.wait_s(f"user-{i}") for i in range(PER_ADDRESS.failures + 1)]
    assert waits == [None] * PER_ADDRESS.failures + [900]
    assert door.wait_s("ada", address="192.0.2.2") is None


def test_success_starts_the_pair_anew_and_counts_nowhere(door: Door) -> None:
    for _ in range(PAIR - 1):
        door.wait_s()
    door.succeed()
    assert [door.wait_s() for _ in range(PAIR)] == [None] * PAIR
    for i in range(PER_ADDRESS.failures + 1):
        door.succeed(f"user-{i}", address="192.0.2.3")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("", "", True),
    ],
)
def test_one_customer_of_ipv6_is_one_place(door: Door, first: str, second: str, same: bool) -> None:
    for _ in range(PAIR):
        door.wait_s(address=first)
    assert (door.wait_s(address=second) is not None) == same


def test_attempts_at_the_same_time_are_all_counted(door: Door) -> None:
    waits: list[int | None] = []
    threads = [threading.Thread(target=lambda: waits.append(door.wait_s())) for _ in range(2 * PAIR)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits.count(None) == PAIR


def test_what_is_over_is_forgotten(door: Door) -> None:
    door.wait_s()
    with door.database.begin() as session:
        throttle.forget(session, START + PER_ADDRESS.window)
    assert door.keys() == 1  # the name's hour
    with door.database.begin() as session:
        throttle.forget(session, START + PER_NAME.window)
    assert door.keys() == 0
