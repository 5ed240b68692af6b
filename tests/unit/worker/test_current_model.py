"""A model is loaded when it is first asked for, in the thread that calls it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from model.loaded import LoadedModel
from tests.testing.fakes import fake_model
from worker.current_model import CurrentModel

MODEL = fake_model()


@pytest.fixture
def network() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as network:
        yield network


def test_it_is_loaded_once_and_in_the_thread_of_the_network(network: ThreadPoolExecutor) -> None:
    loaded_in: list[int] = []

    def load() -> LoadedModel:
        loaded_in.append(threading.get_ident())
        return MODEL

    current = CurrentModel(load, network)
    assert loaded_in == []
    assert current.get() is current.get() is MODEL
    assert loaded_in == [network.submit(threading.get_ident).result()]
