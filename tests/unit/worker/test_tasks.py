"""A message only wakes: whatever it holds, it wakes the worker and harms nothing."""

from __future__ import annotations

import pytest
from celery import Celery

from core.queue import SCREEN_TASK, make_celery, publish
from tests.testing.fakes import FakeEngine
from tests.unit.worker.conftest import Submit, pngs, states
from web.backends import Backends
from worker.pipeline import Pipeline
from worker.tasks import register


@pytest.fixture
def eager_app(eager: Backends) -> Celery:
    return eager.celery


def test_a_doorbell_screens_its_images(backends: Backends, submit: Submit, eager_app: Celery) -> None:
    queued = submit(*pngs(3))
    assert publish(eager_app, queued, "bulk", 4) == queued
    assert states(backends) == ["done"] * 3


@pytest.mark.parametrize(
    "argument",
    [
        "12",
        {"ids": [1]},
        None,
        7,
        [],
        ["1", None, 1.5, [1]],
        [2**63, -(2**63), 0, -1, 10**30],
        [404, 405],
        [True],
    ],
)
def test_a_malformed_message_wakes_the_worker_all_the_same(
    backends: Backends, submit: Submit, eager_app: Celery, argument: object
) -> None:
    submit(*pngs(2))
    eager_app.signature(SCREEN_TASK, args=[argument]).apply_async()
    assert states(backends) == ["done"] * 2


def test_a_doorbell_rung_twice_screens_once(
    backends: Backends, submit: Submit, eager_app: Celery, engine: FakeEngine
) -> None:
    queued = submit(*pngs(2))
    publish(eager_app, queued + queued, "bulk", 2)
    assert engine.batch_sizes == [2]


def test_the_task_belongs_to_its_application_alone(eager: Backends, pipeline: Pipeline) -> None:
    other = make_celery(eager.settings, broker_url="memory://")
    assert SCREEN_TASK in eager.celery.tasks
    assert SCREEN_TASK not in other.tasks
    register(other, pipeline)
    assert SCREEN_TASK in other.tasks
