"""How an image ends, and who may end it."""

from __future__ import annotations

from sqlalchemy import update

from core.kinds import ImageKind, View
from core.populations import Population, PopulationBy
from db import claims, jobs, outcomes
from db.outcomes import Scored
from db.session import now
from db.states import Decision, ImageState, Opinion
from db.tables import UNJUDGED, Image, Job, Review
from tests.testing import factories
from tests.testing.fakes import FAKE_SHA256
from tests.unit.db.conftest import MAX_ATTEMPTS, Desk


def test_finishing_writes_the_prediction_and_the_state_together(desk: Desk) -> None:
    desk.job(1)
    assert desk.finish(desk.claim(), probability=0.7) == 1
    (image,), (prediction,) = desk.images(), desk.predictions()
    assert (image.state, image.lease_expires_at) == (ImageState.DONE, None)
    assert image.finished_at == prediction.created_at
    assert (prediction.image_id, prediction.probability) == (image.id, 0.7)
    assert (prediction.model_sha256, prediction.threshold) == (FAKE_SHA256, 0.5)
    assert prediction.decision is Decision.PNEUMONIA


def test_the_view_stands_with_the_prediction_and_with_its_image(desk: Desk) -> None:
    desk.job(2)
    first, second = desk.claim()
    told = Scored(first, 0.9, Decision.REFUSED, kind=ImageKind.LATERAL, view=View.LATERAL)
    untold = Scored(second, 0.9, Decision.PNEUMONIA)
    with desk.database.begin() as session:
        factories.model(session)
        outcomes.finish(session, [told, untold], model_sha256=FAKE_SHA256, threshold=0.5, worker="w1", now=now(session))
    assert [image.view for image in desk.images()] == ["lateral", None]
    kinds = [(made.kind, made.view) for made in desk.predictions()]
    assert kinds == [(ImageKind.LATERAL, View.LATERAL), (None, None)]


def test_the_population_and_its_threshold_stand_with_the_prediction(desk: Desk) -> None:
    desk.job(2)
    first, second = desk.claim()
    child = Scored(
        first, 0.45, Decision.PNEUMONIA, population=Population.CHILD, population_by=PopulationBy.AGE, threshold=0.4
    )
    scored = [child, Scored(second, 0.45, Decision.NORMAL)]
    with desk.database.begin() as session:
        outcomes.finish(session, scored, model_sha256=FAKE_SHA256, threshold=0.5, worker="w1", now=now(session))
    told = [(made.population, made.population_by, made.threshold) for made in desk.predictions()]
    assert told == [("child", "age", 0.4), (None, None, 0.5)]


def test_a_finished_image_has_its_place_in_the_worklist(desk: Desk) -> None:
    desk.job(3)
    first, second, _ = desk.claim()
    judged, refused = Scored(first, 0.9, Decision.PNEUMONIA), Scored(second, 0.95, Decision.REFUSED)
    with desk.database.begin() as session:
        outcomes.finish(
            session, [judged, refused], model_sha256=FAKE_SHA256, threshold=0.5, worker="w1", now=now(session)
        )
    assert [image.suspicion_rank for image in desk.images()] == [-0.9, UNJUDGED, UNJUDGED]
    assert [image.model for image in desk.images()] == [FAKE_SHA256[:12]] * 2 + [None]


def test_a_later_review_is_the_opinion_that_counts(desk: Desk) -> None:
    desk.job(2)
    desk.finish(desk.claim())
    for opinion in (Opinion.AGREE, Opinion.DISAGREE):
        with desk.database.begin() as session:
            said = {"prediction_id": 1, "user_id": desk.user.id, "opinion": opinion, "note": ""}
            session.add(Review(**said, created_at=now(session)))
    assert [image.opinion for image in desk.images()] == ["disagree", None]


def test_what_the_release_before_finished_is_filled_in(desk: Desk) -> None:
    desk.job(3)
    desk.finish(desk.claim(2), probability=0.7)
    with desk.database.begin() as session:
        session.execute(update(Image).values(model=None, suspicion_rank=UNJUDGED, opinion=None))
        assert outcomes.fill_in_for_lists(session, limit=1) == 1
        assert outcomes.fill_in_for_lists(session) == 1
        assert outcomes.fill_in_for_lists(session) == 0
    assert [image.suspicion_rank for image in desk.images()] == [-0.7, -0.7, UNJUDGED]


def test_finishing_twice_changes_nothing(desk: Desk) -> None:
    desk.job(1)
    held = desk.claim()
    desk.finish(held, probability=0.7)
    assert desk.finish(held, probability=0.1) == 0
    assert [prediction.probability for prediction in desk.predictions()] == [0.7]


def test_finishing_nothing_is_no_error(desk: Desk) -> None:
    assert desk.finish([]) == 0


def test_another_worker_cannot_finish_it(desk: Desk) -> None:
    desk.job(1)
    assert desk.finish(desk.claim(), worker="w2") == 0
    assert desk.states() == ["running"]


def test_a_worker_whose_lease_expired_is_fenced_out_after_the_next_claim(desk: Desk) -> None:
    desk.job(1)
    late = desk.claim(worker="w1")
    assert desk.requeue_expired() == (1, 0)
    current = desk.claim(worker="w1")  # even under its own name
    assert desk.finish(late, probability=0.1) == 0
    assert desk.finish(current, probability=0.9) == 1
    assert [prediction.probability for prediction in desk.predictions()] == [0.9]


def test_a_late_failure_is_fenced_out_too(desk: Desk) -> None:
    desk.job(1)
    (late,) = desk.claim()
    desk.requeue_expired()
    desk.claim(worker="w2")
    desk.fail(late, transient=False)
    assert desk.states() == ["running"]


def test_of_a_batch_only_what_is_still_leased_is_finished(desk: Desk) -> None:
    _, queued = desk.job(3)
    held = desk.claim()
    desk.fail(held[1], transient=False)
    assert desk.finish(held) == 2
    assert [prediction.image_id for prediction in desk.predictions()] == [queued[0], queued[2]]


def test_a_permanent_failure_ends_the_image_with_its_reason(desk: Desk) -> None:
    desk.job(1)
    desk.fail(desk.claim()[0], transient=False)
    (image,) = desk.images()
    assert (image.state, image.error_code, image.error_message) == ("failed", "corrupt_image", "It is damaged.")
    assert image.finished_at is not None


def test_a_transient_failure_queues_the_image_until_its_attempts_are_used_up(desk: Desk) -> None:
    desk.job(1)
    seen: list[tuple[str, int]] = []
    for _ in range(MAX_ATTEMPTS):
        desk.fail(desk.claim()[0], transient=True)
        (image,) = desk.images()
        seen.append((image.state, image.attempt))
    assert seen == [("queued", 1), ("queued", 2), ("failed", 3)]


def test_an_image_queued_again_is_to_be_published(desk: Desk) -> None:
    _, queued = desk.job(1)
    desk.publish(queued)
    desk.fail(desk.claim()[0], transient=True)
    assert desk.images()[0].published_at is None


def test_a_success_after_a_failure_forgets_the_failure(desk: Desk) -> None:
    desk.job(1)
    desk.fail(desk.claim()[0], transient=True)
    desk.finish(desk.claim())
    (image,) = desk.images()
    assert (image.state, image.error_code, image.error_message) == ("done", None, None)


def test_a_long_sentence_is_cut_to_its_column(desk: Desk) -> None:
    desk.job(1)
    (claim,) = desk.claim()
    with desk.database.begin() as session:
        failed = outcomes.Failed(claim, "x", "é" * 600, transient=False)
        outcomes.fail(session, failed, worker="w1", max_attempts=3, now=now(session))
    assert desk.images()[0].error_message == "é" * 500


def test_an_image_names_the_prediction_that_finished_it(desk: Desk) -> None:
    desk.job(3)
    desk.finish(desk.claim())
    named = {image.id: image.primary_prediction_id for image in desk.images()}
    assert named == {prediction.image_id: prediction.id for prediction in desk.predictions()}
    assert [image.decision for image in desk.images()] == ["pneumonia"] * 3


def test_a_lost_lease_names_nothing(desk: Desk) -> None:
    desk.job(2)
    held = desk.claim()
    desk.fail(held[1], transient=False)
    assert desk.finish(held) == 1
    assert [image.primary_prediction_id is None for image in desk.images()] == [False, True]


def test_a_retry_keeps_the_primary_prediction_until_there_is_a_new_one(desk: Desk) -> None:
    """Only an image without one can be retried today; should that change, the page goes on showing what it has."""
    job, _ = desk.job(1)
    desk.finish(desk.claim())
    (before,) = (image.primary_prediction_id for image in desk.images())
    with desk.database.begin() as session:
        factories.model(session, "e" * 64, "another")
        session.execute(update(Image).values(state=ImageState.FAILED))
        jobs.retry(session, session.get_one(Job, job.id))
    assert [image.primary_prediction_id for image in desk.images()] == [before]
    with desk.database.begin() as session:
        at = now(session)
        held = claims.claim(session, worker="w1", limit=1, lease_s=60, now=at)
        scored = [Scored(claim, 0.2, Decision.NORMAL) for claim in held]
        outcomes.finish(session, scored, model_sha256="e" * 64, threshold=0.5, worker="w1", now=at)
    (image,) = desk.images()
    assert image.primary_prediction_id == max(prediction.id for prediction in desk.predictions()) != before
    assert image.decision == "normal"
