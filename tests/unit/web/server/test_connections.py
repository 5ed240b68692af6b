"""Which connection makes room for another."""

from __future__ import annotations

from dataclasses import dataclass

from web.server.connections import Connections


@dataclass(eq=False)
class Fake:
    waiting_since_s: float | None
    proven: bool = False
    evicted: bool = False

    def evict(self) -> None:
        self.evicted = True


def test_the_one_that_waited_longest_makes_room() -> None:
    connections = Connections(2, None)
    young, old, new = Fake(5.0), Fake(1.0), Fake(9.0)
    assert all(connections.add(connection, "a") for connection in (young, old, new))
    assert (young.evicted, old.evicted, len(connections)) == (False, True, 2)


def test_those_who_were_answered_stay_longer() -> None:
    connections = Connections(2, None)
    answered, waiting = Fake(1.0, proven=True), Fake(8.0)
    assert all(connections.add(connection, "a") for connection in (answered, waiting, Fake(9.0)))
    assert (answered.evicted, waiting.evicted) == (False, True)


def test_nobody_makes_room_while_the_service_works_for_all() -> None:
    connections = Connections(1, None)
    assert connections.add(Fake(None), "a")
    assert not connections.add(Fake(1.0), "b")


def test_a_crowd_of_one_address_leaves_the_others_alone() -> None:
    connections = Connections(10, 2)
    other = Fake(0.0)
    crowd = [Fake(float(second)) for second in range(1, 5)]
    assert connections.add(other, "b")
    assert all(connections.add(connection, "a") for connection in crowd)
    assert [connection.evicted for connection in crowd] == [True, True, False, False]
    assert not other.evicted


def test_a_closed_connection_gives_its_place_back() -> None:
    connections = Connections(1, 1)
    first = Fake(None)
    connections.add(first, "a")
    connections.remove(first)
    connections.remove(first)
    assert connections.add(Fake(None), "a")
