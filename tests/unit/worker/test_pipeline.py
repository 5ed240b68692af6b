"""One worker from claim to finish, on a real database and real files, with an engine that needs no network."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL.Image
import pytest
import structlog
from numpy.typing import NDArray
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core.errors import StorageUnavailable
from core.populations import Population
from core.settings import Settings
from db import claims, leases, outcomes, previews
from db.session import now
from db.states import Priority
from db.tables import Image, Job
from imaging import cam
from model.loaded import LoadedModel
from model.output import NetworkOutput
from storage.local import LocalBlobStore
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256, FakeEngine, Floats, fake_model
from tests.testing.polling import wait_until
from tests.testing.settings import change
from tests.unit.worker.conftest import Submit, pngs, rows, states
from web.backends import Backends
from worker import outage
from worker.pipeline import Pipeline

Make = Callable[..., Pipeline]


@pytest.fixture
def make(backends: Backends, engine: FakeEngine, request: pytest.FixtureRequest) -> Make:
    """`make(engine=, model=, settings=, store=)`: another worker on the same backends."""

    def _make(
        name: str = "w2",
        engine: FakeEngine = engine,
        model: LoadedModel | None = None,
        settings: Settings = backends.settings,
        store: LocalBlobStore | None = None,
    ) -> Pipeline:
        made = Pipeline(settings, backends.database, store or backends.store, lambda: model or fake_model(engine), name)
        request.addfinalizer(made.close)
        return made

    return _make


def test_every_queued_image_is_screened_and_written_down(
    backends: Backends, submit: Submit, pipeline: Pipeline
) -> None:
    submit(*pngs(6))
    assert pipeline.drain() == 6
    assert states(backends) == ["done"] * 6
    assert [len(row.predictions) for row in rows(backends)] == [1] * 6


def test_probability_decision_threshold_and_model_are_kept(
    backends: Backends, submit: Submit, pipeline: Pipeline
) -> None:
    submit(factories.png(brightness=0.3), factories.png(brightness=0.7))
    pipeline.drain()
    healthy, ill = (row.predictions[0] for row in rows(backends))
    assert (healthy.decision, ill.decision) == ("normal", "pneumonia")
    assert healthy.probability == pytest.approx(0.3, abs=0.02)
    assert ill.probability == pytest.approx(0.7, abs=0.02)
    assert (ill.threshold, ill.model_sha256) == (0.5, FAKE_SHA256)


def test_ood_score_map_and_refusal_are_kept(backends: Backends, submit: Submit, make: Make) -> None:
    submit(factories.png(brightness=0.3), factories.png(brightness=0.95))
    make(model=fake_model(ood_limit=0.5)).drain()
    known, odd = (row.predictions[0] for row in rows(backends))
    assert (known.decision, known.reason, known.ood_limit) == ("normal", None, 0.5)
    assert (odd.decision, odd.ood_limit) == ("refused", 0.5)
    assert odd.probability == pytest.approx(0.95, abs=0.03)
    assert "too unlike the frontal chest X-rays" in str(odd.reason)
    assert cam.unpack(known.cam or b"").mean() == pytest.approx(known.probability, abs=1e-3)


def test_the_population_is_kept_and_its_threshold_applied(backends: Backends, submit: Submit, make: Make) -> None:
    """Equal images: the network takes them for a child's, and the second job was submitted as adults'."""
    submit(factories.png(brightness=0.45))
    (chosen,) = submit(factories.png(brightness=0.45))
    with backends.database.begin() as session:
        job_id = session.get_one(Image, chosen).job_id
        session.get_one(Job, job_id).population = Population.ADULT
    make(model=fake_model(populations=True)).drain()
    child, adult = (row.predictions[0] for row in rows(backends))
    assert (child.population, child.population_by, child.threshold) == ("child", "network", 0.4)
    assert (adult.population, adult.population_by, adult.threshold) == ("adult", "chosen", 0.6)
    assert (child.decision, adult.decision) == ("pneumonia", "normal")


def test_a_population_that_nobody_can_tell_fails_the_image(backends: Backends, submit: Submit, make: Make) -> None:
    class Damaged(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            return super().forward(pixels)._replace(features=np.full((len(pixels), 1), np.nan, np.float32))

    submit(factories.png())
    make(model=fake_model(Damaged(), ood_limit=None, populations=True)).drain()
    (image,) = rows(backends)
    assert image.error_message == "The model could not tell a child from an adult in this image."


def test_what_the_gate_tells_is_kept(backends: Backends, submit: Submit, make: Make) -> None:
    bright = io.BytesIO()
    PIL.Image.fromarray(factories.radiograph(brightness=0.8).clip(140, 255)).save(bright, "PNG")
    submit(factories.png(), bright.getvalue())
    make(model=fake_model(gate=True)).drain()
    frontal, lateral = rows(backends)
    assert (frontal.predictions[0].kind, frontal.predictions[0].view, frontal.view) == ("frontal", "pa", "pa")
    assert frontal.decision == "normal"
    assert (lateral.predictions[0].kind, lateral.predictions[0].view, lateral.view) == ("lateral",) * 3
    assert lateral.decision == "refused"
    assert "It looks like a lateral view." in str(lateral.predictions[0].reason)


def test_notes_box_and_a_picture_for_the_page_are_kept(backends: Backends, submit: Submit, pipeline: Pipeline) -> None:
    film = factories.radiograph(size_px=(300, 240))
    plain, deep = io.BytesIO(), io.BytesIO()
    PIL.Image.fromarray(np.pad(film, 20, constant_values=255)).save(plain, "PNG")
    PIL.Image.fromarray(film.astype(np.uint16) * 16).save(deep, "PNG")
    submit(plain.getvalue(), deep.getvalue(), *pngs(1))
    pipeline.drain()
    bordered, sixteen, small = rows(backends)
    assert bordered.predictions[0].box == [340, 280, 20, 20, 320, 260]
    assert [row.predictions[0].notes for row in (bordered, sixteen)] == [None, None]
    assert "The picture is small (24 × 20 px)" in (small.predictions[0].notes or "")
    with backends.database.read() as session:
        assert not previews.has(session, bordered.sha256)  # a browser shows it as it is
        jpeg = previews.picture(session, sixteen.sha256)
    assert np.asarray(PIL.Image.open(io.BytesIO(jpeg or b""))).mean() > 40


def test_a_model_without_statistics_refuses_nothing(backends: Backends, submit: Submit, make: Make) -> None:
    submit(factories.png(brightness=0.95))
    make(model=fake_model(ood_limit=None)).drain()
    prediction = rows(backends)[0].predictions[0]
    assert (prediction.decision, prediction.ood_score, prediction.ood_limit) == ("pneumonia", None, None)


def test_an_image_at_the_threshold_is_pneumonia(backends: Backends, submit: Submit, make: Make) -> None:
    submit(*pngs(1))
    make(model=fake_model(threshold=0.0)).drain()
    assert rows(backends)[0].predictions[0].decision == "pneumonia"


def test_many_single_doorbells_make_few_batches(submit: Submit, pipeline: Pipeline, engine: FakeEngine) -> None:
    for data in pngs(12):
        submit(data)
    for _ in range(12):
        pipeline.drain()
    assert engine.batch_sizes == [4, 4, 4]


def test_interactive_images_go_before_bulk_ones(submit: Submit, make: Make) -> None:
    order: list[float] = []

    class Noting(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            order.extend(round(float(image.mean()) / 255, 1) for image in pixels)
            return super().forward(pixels)

    submit(*pngs(4, brightness=0.3))
    submit(*pngs(2, brightness=0.6), priority=Priority.INTERACTIVE)
    make(engine=Noting()).drain()
    assert order == [0.6, 0.6, 0.3, 0.3, 0.3, 0.3]


class Arrivals(FakeEngine):
    """Something happens during its first forward pass; notes how bright the images of each batch are."""

    def __init__(self, arrive: Callable[[], object]) -> None:
        super().__init__()
        self.order: list[list[float]] = []
        self._arrive = arrive

    def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
        if not self.order:
            self._arrive()
        self.order.append([round(float(image.mean()) / 255, 1) for image in pixels])
        return super().forward(pixels)


def test_an_interactive_image_preempts_the_bulk_batch_that_is_claimed_already(submit: Submit, make: Make) -> None:
    submit(*pngs(12, brightness=0.3))
    engine = Arrivals(lambda: submit(*pngs(1, brightness=0.6), priority=Priority.INTERACTIVE))
    make(engine=engine).drain()
    assert engine.order == [[0.3] * 4, [0.6], [0.3] * 4, [0.3] * 4]


def test_interactive_images_do_not_preempt_one_another(submit: Submit, make: Make) -> None:
    submit(*pngs(8, brightness=0.3), priority=Priority.INTERACTIVE)
    engine = Arrivals(lambda: submit(*pngs(2, brightness=0.6), priority=Priority.INTERACTIVE))
    make(engine=engine).drain()
    assert engine.order == [[0.3] * 4, [0.3] * 4, [0.6] * 2]


def test_a_worker_that_is_stopping_lets_nothing_preempt(submit: Submit, make: Make, backends: Backends) -> None:
    submit(*pngs(8, brightness=0.3))

    def arrive() -> None:
        submit(*pngs(1, brightness=0.6), priority=Priority.INTERACTIVE)
        worker.stop()

    engine = Arrivals(arrive)
    worker = make(engine=engine)
    worker.drain()
    assert engine.order == [[0.3] * 4, [0.3] * 4]
    assert states(backends)[-1] == "queued"


def test_a_suspect_is_tried_with_nothing_else_under_way(backends: Backends, submit: Submit, make: Make) -> None:
    submit(*pngs(3, brightness=0.6))
    with backends.database.begin() as session:
        claims.claim(session, worker="killed", limit=3, lease_s=0.001, now=now(session) - timedelta(seconds=1))
        leases.requeue_expired(session, max_attempts=3, now=now(session))
    submit(*pngs(6, brightness=0.3))
    running: list[int] = []

    class Noting(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            running.append(states(backends).count("running"))
            return super().forward(pixels)

    noting = Noting()
    make(engine=noting).drain()
    assert noting.batch_sizes == [1, 1, 1, 4, 2]
    assert running[:3] == [1, 1, 1]
    assert states(backends) == ["done"] * 9


def test_urgent_images_do_not_share_a_pass_with_bulk_ones(
    backends: Backends, submit: Submit, pipeline: Pipeline, engine: FakeEngine
) -> None:
    submit(*pngs(5))
    submit(*pngs(1, first_seed=9), priority=Priority.INTERACTIVE)
    pipeline.drain()
    assert engine.batch_sizes == [1, 3, 2]
    assert states(backends) == ["done"] * 6


def test_an_empty_queue_is_no_work(pipeline: Pipeline, engine: FakeEngine) -> None:
    assert pipeline.drain() == 0
    assert engine.batch_sizes == []


def test_the_model_is_loaded_once_and_in_the_thread_that_uses_it(backends: Backends, submit: Submit) -> None:
    loaded_in: list[int] = []
    used_in: list[int] = []

    class Noting(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            used_in.append(threading.get_ident())
            return super().forward(pixels)

    def load() -> LoadedModel:
        loaded_in.append(threading.get_ident())
        return fake_model(Noting())

    pipeline = Pipeline(backends.settings, backends.database, backends.store, load, "w")
    submit(*pngs(9))
    for _ in range(2):  # whichever thread drains
        thread = threading.Thread(target=pipeline.drain)
        thread.start()
        thread.join()
    submit(*pngs(2, first_seed=20))
    pipeline.drain()
    pipeline.close()
    assert len(loaded_in) == 1
    assert set(used_in) == set(loaded_in)


def test_batches_and_images_are_counted(submit: Submit, pipeline: Pipeline) -> None:
    submit(*pngs(5))
    pipeline.drain()
    assert (pipeline.batches, pipeline.images) == (2, 5)


def test_a_corrupt_file_fails_alone_and_at_once(backends: Backends, submit: Submit, pipeline: Pipeline) -> None:
    good = pngs(2)
    submit(good[0], good[1][:200], good[0])
    pipeline.drain()
    _, bad, _ = rows(backends)
    assert states(backends) == ["done", "failed", "done"]
    assert (bad.error_code, bad.attempt) == ("corrupt_image", 1)
    assert bad.predictions == []


def test_a_missing_blob_is_tried_again_and_then_fails_with_its_reason(
    backends: Backends, submit: Submit, pipeline: Pipeline
) -> None:
    submit(*pngs(1))
    backends.store.delete(rows(backends)[0].sha256)
    tries = [pipeline.drain() for _ in range(backends.settings.worker.max_attempts + 1)]
    assert tries == [1, 1, 1, 0]
    (row,) = rows(backends)
    assert (row.state, row.error_code, row.attempt) == ("failed", "blob_missing", backends.settings.worker.max_attempts)


class Flaky(LocalBlobStore):
    """Refuses `failures` times, when it opens a file or when that is read."""

    def __init__(self, root: Path, how: str, failures: int) -> None:
        super().__init__(root)
        self._how = how
        self._left = iter(range(failures))  # a plain number would miscount between the decoding threads

    def open(self, sha256: str) -> BinaryIO:
        if next(self._left, None) is None:
            return super().open(sha256)
        if self._how == "opening":
            raise StorageUnavailable("The share is away.")
        return Unreadable()


class Unreadable(io.BytesIO):
    def read(self, _size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("how", ["opening", "reading"])
def test_a_store_that_comes_back_costs_neither_an_attempt_nor_an_image(
    backends: Backends, submit: Submit, make: Make, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(outage, "PAUSE_S", 0.01)
    submit(*pngs(12))
    pipeline = make(store=Flaky(backends.settings.storage.blobs, how, 9 * backends.settings.worker.batch_size))
    while pipeline.drain():
        pass
    assert {(row.state, row.attempt, row.error_code) for row in rows(backends)} == {("done", 1, None)}


def test_one_unreadable_image_among_readable_ones_fails_alone(
    backends: Backends, submit: Submit, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "PATIENCE_S", 0.0)
    monkeypatch.setattr(outage, "PAUSE_S", 0.01)
    bad, *_ = submit(*pngs(4))
    unreadable = rows(backends)[0].sha256

    class BadSector(LocalBlobStore):
        def open(self, sha256: str) -> BinaryIO:
            return Unreadable() if sha256 == unreadable else super().open(sha256)

    pipeline = make(store=BadSector(backends.settings.storage.blobs))
    while pipeline.drain():
        pass
    (row, *rest) = rows(backends)
    assert (row.id, row.state, row.error_code) == (bad, "failed", "storage_unavailable")
    assert row.error_message == "Could not read the image storage: Input/output error."
    assert {other.state for other in rest} == {"done"}


def test_a_network_that_always_crashes_fails_its_images_in_the_end(
    backends: Backends, submit: Submit, make: Make
) -> None:
    class Crashing(FakeEngine):
        def forward(self, pixels: NDArray[np.uint8]) -> NetworkOutput[Floats]:
            raise RuntimeError("cublas")

    submit(*pngs(2))
    pipeline = make(engine=Crashing())
    assert [pipeline.drain() for _ in range(4)] == [2, 2, 2, 0]
    assert {(row.state, row.error_code, row.attempt) for row in rows(backends)} == {("failed", "worker_error", 3)}


def test_too_many_pixels_are_refused_by_the_worker_too(backends: Backends, submit: Submit, make: Make) -> None:
    submit(factories.png(size_px=(40, 30)))
    make(settings=change(backends.settings, max_pixels=1000)).drain()
    assert rows(backends)[0].error_code == "too_many_pixels"


def test_two_workers_screen_each_image_once(backends: Backends, submit: Submit, pipeline: Pipeline, make: Make) -> None:
    submit(*pngs(30))
    other = make()
    thread = threading.Thread(target=other.drain)
    thread.start()
    pipeline.drain()
    thread.join()
    assert pipeline.images + other.images == 30
    assert [len(row.predictions) for row in rows(backends)] == [1] * 30


def test_stop_finishes_what_is_claimed_and_claims_no_more(backends: Backends, submit: Submit, make: Make) -> None:
    gate = threading.Event()
    pipeline = make(engine=FakeEngine(gate=gate))
    submit(*pngs(20))
    thread = threading.Thread(target=pipeline.drain)
    thread.start()
    wait_until(lambda: states(backends).count("running") == 8)  # one batch in the network, one decoding
    pipeline.stop()
    gate.set()
    thread.join()
    assert states(backends) == ["done"] * 8 + ["queued"] * 12


def test_a_stopped_worker_answers_no_doorbell(backends: Backends, submit: Submit, pipeline: Pipeline) -> None:
    submit(*pngs(1))
    pipeline.stop()
    assert pipeline.drain() == 0
    assert states(backends) == ["queued"]


def test_close_hands_back_what_is_still_leased_untried(backends: Backends, submit: Submit, make: Make) -> None:
    submit(*pngs(2))
    pipeline = make(name="leaving")
    with backends.database.begin() as session:
        claims.claim(session, worker="leaving", limit=1, lease_s=60, now=now(session))
    pipeline.close()
    assert states(backends) == ["queued", "queued"]
    assert [row.attempt for row in rows(backends)] == [0, 0]


def test_a_result_that_comes_after_its_lease_is_dropped(backends: Backends, submit: Submit, make: Make) -> None:
    gate = threading.Event()
    slow = make(engine=FakeEngine(gate=gate))
    submit(*pngs(1))
    thread = threading.Thread(target=slow.drain)
    thread.start()
    wait_until(lambda: states(backends) == ["running"])
    with backends.database.begin() as session:
        session.connection().exec_driver_sql("UPDATE images SET lease_expires_at = '2000-01-01'")
        leases.requeue_expired(session, max_attempts=3, now=now(session))
    make("w3").drain()
    gate.set()
    thread.join()
    (row,) = rows(backends)
    assert (row.state, row.worker, len(row.predictions)) == ("done", "w3", 1)


def broken(session: Session) -> None:
    raise OperationalError("UPDATE", {}, Exception("server closed the connection"))


def test_images_lost_track_of_in_a_database_outage_are_not_leased_for_ever(
    backends: Backends, submit: Submit, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(*pngs(1))
    with monkeypatch.context() as outage:
        outage.setattr(outcomes, "finish", lambda session, *_, **__: broken(session))
        with pytest.raises(OperationalError):
            pipeline.drain()
    with backends.database.begin() as session:
        session.connection().exec_driver_sql("UPDATE images SET lease_expires_at = '2000-01-01'")
    pipeline.renew_leases()
    with backends.database.begin() as session:
        requeued, failed = leases.requeue_expired(session, max_attempts=3, now=now(session))
    assert (len(requeued), failed) == (1, [])
    assert pipeline.drain() == 1
    assert states(backends) == ["done"]


def test_a_failing_image_is_logged_by_id_and_never_by_name(
    backends: Backends, submit: Submit, pipeline: Pipeline
) -> None:
    (image_id,) = submit(b"\x89PNG\r\n\x1a\n damaged")
    with structlog.testing.capture_logs() as events:
        pipeline.drain()
    assert any(event.get("image_id") == image_id and event.get("code") == "corrupt_image" for event in events)
    assert "patient-0" not in str(events)


def test_without_a_setting_the_engine_says_how_many(backends: Backends, submit: Submit, make: Make) -> None:
    engine = FakeEngine()
    free = make(engine=engine, settings=change(backends.settings, batch_size=0))
    submit(*pngs(7))
    free.drain()
    assert engine.batch_sizes == [3, 3, 1]


def test_settings_of_one_worker_do_not_reach_another(backends: Backends, submit: Submit, make: Make) -> None:
    engine = FakeEngine()
    small = make(engine=engine, settings=change(backends.settings, batch_size=2))
    submit(*pngs(5))
    small.drain()
    assert engine.batch_sizes == [2, 2, 1]
    assert backends.settings.worker.batch_size == 4


def test_a_crash_is_logged_with_the_image_that_it_hit(
    backends: Backends, submit: Submit, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("worker.leased.preprocess.prepare", crash)
    submit(*pngs(2))
    with structlog.testing.capture_logs() as events:
        pipeline.drain()
    failures = [event for event in events if event["event"] == "image_failed"]
    assert [event["image_id"] for event in failures] == [row.id for row in rows(backends)]
    assert all(isinstance(event["exc_info"], ZeroDivisionError) for event in failures)
    assert [event["image_ids"] for event in events if event["event"] == "batch"] == [[row.id for row in rows(backends)]]
