"""A folder that is not mounted, or another one in its place, costs no image; nor does a folder that lost its files."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from numpy.typing import NDArray

from model.output import NetworkOutput
from storage import marker
from storage.local import LocalBlobStore
from tests.testing.fakes import FakeEngine, Floats, fake_model
from tests.testing.polling import wait_until
from tests.unit.worker.conftest import Away, Submit, pngs, rows, states
from web.backends import Backends
from worker.outage import INCOMPLETE
from worker.pipeline import Pipeline

pytestmark = pytest.mark.usefixtures("short_pauses")


@contextmanager
def draining(pipeline: Pipeline) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=pipeline.drain, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        pipeline.stop()
        thread.join(timeout=60)


def test_while_the_folder_is_not_mounted_nothing_is_claimed_and_then_all_is_screened(
    backends: Backends, submit: Submit, pipeline: Pipeline, away: Away
) -> None:
    submit(*pngs(6))
    with away():
        with draining(pipeline):
            wait_until(lambda: pipeline.paused_reason, timeout_s=60)
        assert "is missing" in str(pipeline.paused_reason)
        assert {(row.state, row.attempt) for row in rows(backends)} == {("queued", 0)}


def test_it_goes_on_when_the_folder_is_back(backends: Backends, submit: Submit, pipeline: Pipeline, away: Away) -> None:
    submit(*pngs(6))
    with away():
        thread = threading.Thread(target=pipeline.drain, daemon=True)
        thread.start()
        wait_until(lambda: pipeline.paused_reason, timeout_s=60)
    thread.join(timeout=60)
    assert states(backends) == ["done"] * 6
    assert pipeline.paused_reason is None


def test_nothing_is_claimed_while_another_store_is_in_its_place(
    backends: Backends, submit: Submit, pipeline: Pipeline
) -> None:
    submit(*pngs(2))
    before = (backends.settings.storage.blobs / marker.NAME).read_bytes()
    backends.store.make("2" * 32)
    try:
        with draining(pipeline):
            wait_until(lambda: pipeline.paused_reason, timeout_s=60)
        assert "another one" in str(pipeline.paused_reason)
        assert states(backends) == ["queued"] * 2
    finally:
        (backends.settings.storage.blobs / marker.NAME).write_bytes(before)


def test_a_folder_that_vanishes_in_the_middle_costs_no_attempt(
    backends: Backends, submit: Submit, away: Away, request: pytest.FixtureRequest
) -> None:
    class Unmounting(FakeEngine):
        """Once, the folder is away from the first forward pass until the worker has noticed."""

        def __init__(self) -> None:
            super().__init__()
            self.first = threading.Event()
            self.unmounted = threading.Event()

        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            if not self.first.is_set():
                self.first.set()
                assert self.unmounted.wait(60)
            return super().forward(pixels)

    engine = Unmounting()
    pipeline = Pipeline(backends.settings, backends.database, backends.store, lambda: fake_model(engine), "w2")
    request.addfinalizer(pipeline.close)
    submit(*pngs(20))
    thread = threading.Thread(target=pipeline.drain, daemon=True)
    thread.start()
    assert engine.first.wait(60)
    with away():
        engine.unmounted.set()
        wait_until(lambda: pipeline.paused_reason, timeout_s=60)
    thread.join(timeout=60)
    assert {(row.state, row.attempt, row.error_code) for row in rows(backends)} == {("done", 1, None)}


def test_files_that_are_missing_in_numbers_fail_no_image(
    backends: Backends, submit: Submit, pipeline: Pipeline, away: Away
) -> None:
    contents = pngs(8)
    submit(*contents)
    for row in rows(backends):
        backends.store.delete(row.sha256)
    thread = threading.Thread(target=pipeline.drain, daemon=True)
    thread.start()
    wait_until(lambda: pipeline.paused_reason, timeout_s=60)
    assert pipeline.paused_reason == INCOMPLETE
    wait_until(lambda: states(backends) == ["queued"] * 8, timeout_s=60)
    with away() as elsewhere:  # so that all are back at the same moment
        for content in contents:
            put_back(LocalBlobStore(elsewhere), content)
    thread.join(timeout=60)
    assert {(row.state, row.attempt, row.error_code) for row in rows(backends)} == {("done", 1, None)}


def put_back(store: LocalBlobStore, content: bytes) -> None:
    spool = store.spool(10_000_000)
    spool.write(content)
    store.put(spool)
