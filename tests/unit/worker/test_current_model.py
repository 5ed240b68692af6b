"""A model is loaded when it is first asked for, in the thread that calls it, and another one can take its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import ModelInvalid
from model.loaded import LoadedModel
from tests.testing.fakes import fake_model
from worker.current_model import CurrentModel

OLD, NEW = fake_model(sha256="a" * 64), fake_model(sha256="b" * 64)


@pytest.fixture
def network() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as network:
        yield network


def test_it_is_loaded_once_and_in_the_thread_of_the_network(network: ThreadPoolExecutor) -> None:
    loaded_in: list[int] = []

    def load() -> LoadedModel:
        loaded_in.append(threading.get_ident())
        return OLD

    current = CurrentModel(load, network)
    assert loaded_in == []
    assert current.get() is current.get() is OLD
    assert loaded_in == [network.submit(threading.get_ident).result()]


def test_another_model_takes_its_place(network: ThreadPoolExecutor) -> None:
    current = CurrentModel(lambda: OLD, network)
    assert current.get() is OLD
    assert current.swap(lambda: NEW) is NEW
    assert current.get() is NEW


def test_a_model_that_cannot_be_loaded_changes_nothing(network: ThreadPoolExecutor) -> None:
    def broken() -> LoadedModel:
        raise ModelInvalid("damaged")

    current = CurrentModel(lambda: OLD, network)
    current.get()
    with pytest.raises(ModelInvalid, match="damaged"):
        current.swap(broken)
    assert current.get() is OLD
