"""Claim, decode, predict, finish: what one worker does with the images it leases, until none is queued.

Claims and finishes run in the thread that drains, decoding and the network in threads of their own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple

import numpy as np
import structlog
from numpy.typing import NDArray

from core.errors import PneumoscreenError, Transient
from core.settings import Settings
from db import claims
from db.claims import Claim, Failed, Scored
from db.session import Database, now
from db.states import Decision, Priority
from db.stores import StoreCheck
from imaging import cam, preprocess
from imaging.preprocess import Prepared
from model.decision import Prediction
from model.loaded import LoadedModel
from storage.base import BlobStore, storage_errors
from worker import outage
from worker.batching import Outcome, WorkerError, decoders, screen_batches
from worker.deployed_model import DeployedModel
from worker.outage import Outage

log = structlog.get_logger()


class Pipeline:
    """The work of one worker process; `drain` runs in one thread at a time."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: BlobStore,
        load_model: Callable[[], LoadedModel],
        name: str,
        deployed: DeployedModel | None = None,
    ) -> None:
        self.name = name
        self.deployed = deployed
        self.batches = 0
        self.images = 0
        self._settings = settings
        self._database = database
        self._store = store
        self._load_model = load_model
        self._model: LoadedModel | None = None
        self._in_hand: frozenset[int] = frozenset()  # replaced, never changed: the heartbeat's thread reads it
        self._outage = Outage(StoreCheck(database, store).require, store.exists, self._next_sha256s)
        self._prepared: dict[int, Prepared] = {}  # of the images in hand, written by the decoding threads
        self._stop = threading.Event()
        self._pool = decoders(settings.worker.decode_threads)
        self._network = ThreadPoolExecutor(1, thread_name_prefix="network")

    @property
    def model(self) -> LoadedModel:
        """Loaded on first use, in the thread that will call it: that of torch's own threads."""
        if self._model is None:
            self._model = self._network.submit(self._load_model).result()
        return self._model

    def drain(self) -> int:
        """Screen until nothing is queued. Returns how many left our hands."""
        before = self.images
        try:
            self.change_model()
            self._screen()
            while self._is_change_due() and not self._stop.is_set():  # it kept `_screen` from claiming more
                self.change_model()
                self._screen()
        finally:
            self._prepared.clear()
            self._in_hand = frozenset()  # on an error the leases of these run out, and the sweeper queues them again
        return self.images - before

    def change_model(self) -> None:
        """Take the deployed model if it is another one. Nothing is in hand, so no batch is lost or of two models."""
        if self._is_change_due() and self.deployed is not None:
            self._model = self._network.submit(self.deployed.replacement).result() or self._model

    def _is_change_due(self) -> bool:
        return self.deployed is not None and self.deployed.is_due(self.model.sha256)

    def _screen(self) -> None:
        started_at = time.monotonic()
        batches = screen_batches(self._claims(), self._read, self.model, self._pool, self._network, self._overtake)
        for outcomes in batches:
            self._finish(outcomes)
            self.batches += 1
            self.images += len(outcomes)
            seconds = time.monotonic() - started_at
            image_ids = [claim.image_id for claim, _ in outcomes]
            log.info("batch", image_ids=image_ids, batch=self.batches, seconds=round(seconds, 3))
            started_at = time.monotonic()

    def work_waits(self) -> bool:
        """Whether a claim would find something."""
        with self._database.read() as session:
            return claims.work_waits(session)

    @property
    def paused_reason(self) -> str | None:
        """Why nothing is claimed at present, as a sentence."""
        return self._outage.reason

    def stop(self) -> None:
        """Claim nothing more; what is claimed is still finished."""
        self._stop.set()

    def close(self) -> None:
        """Hand back what is still leased and end the threads."""
        self._pool.shutdown(cancel_futures=True)
        self._network.shutdown(cancel_futures=True)
        with self._database.begin() as session:
            released = claims.release(session, worker=self.name)
        if released:
            log.info("released", images=released)

    def renew_leases(self) -> None:
        """Called by the heartbeat while a batch is in work."""
        with self._database.begin() as session:
            held, lease_s = self._in_hand, self._settings.worker.lease_s
            claims.renew(session, worker=self.name, image_ids=held, lease_s=lease_s, now=now(session))

    def _claims(self) -> Iterator[list[Claim]]:
        """Batches until nothing is queued, or another model is to take over what is.

        An empty one asks that all before it be finished first.
        """
        while not self._stop.is_set() and not self._is_change_due():
            if self._in_hand and self._outage.lasts():
                yield []  # what is in hand is finished, or goes back, before the wait
            if not self._outage.wait_until_over(self._stop):
                return
            alone = not self._in_hand
            batch = self._claim(alone=alone)
            if batch:
                self._in_hand |= {claim.image_id for claim in batch}
                yield from _urgent_first(batch)
            elif alone or not self._suspect_waits():
                return  # not asked again: what has just failed for now waits for the sweeper, and not for milliseconds
            if not batch or any(claim.crashes for claim in batch):
                yield []  # a suspect is next, or was just claimed: it has this process to itself

    def _overtake(self, waiting: Sequence[Claim]) -> list[Claim]:
        """Interactive images that came after `waiting` was claimed, if it is a bulk batch; a suspect stays alone."""
        if self._stop.is_set() or any(claim.crashes or claim.priority is Priority.INTERACTIVE for claim in waiting):
            return []
        with self._database.read() as session:  # nearly always enough, and without a write
            if not claims.interactive_waits(session):
                return []
        urgent = self._claim(alone=False, priorities=(Priority.INTERACTIVE,))
        self._in_hand |= {claim.image_id for claim in urgent}
        return urgent

    def _suspect_waits(self) -> bool:
        with self._database.read() as session:
            return claims.suspect_waits(session)

    def _claim(self, *, alone: bool, priorities: Sequence[Priority] = claims.IN_ORDER) -> list[Claim]:
        with self._database.begin() as session:
            return claims.claim(
                session,
                worker=self.name,
                limit=self._settings.worker.batch_size or self.model.engine.batch_size,
                lease_s=self._settings.worker.lease_s,
                now=now(session),
                alone=alone,
                priorities=priorities,
            )

    def _read(self, claim: Claim) -> NDArray[np.uint8]:
        with storage_errors("read"), self._store.open(claim.sha256) as blob:
            data = blob.read()
        prepared = preprocess.prepare(data, max_pixels=self._settings.limits.max_pixels)
        self._prepared[claim.image_id] = prepared
        return prepared.pixels

    def _finish(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        """One transaction: predictions, model, and every state change of the batch."""
        if excused := set(self._outage.excused(outcomes)):
            self._hand_back(excused)
            outcomes = [(claim, outcome) for claim, outcome in outcomes if claim not in excused]
        model = self.model
        prepared = {claim.image_id: self._prepared.pop(claim.image_id, None) for claim, _ in outcomes}
        scored = [
            _scored(claim, outcome, model, prepared[claim.image_id])
            for claim, outcome in outcomes
            if isinstance(outcome, Prediction)
        ]
        failed = [_failed(claim, outcome) for claim, outcome in outcomes if isinstance(outcome, PneumoscreenError)]
        with self._database.begin() as session:
            at = now(session)
            done = claims.finish(
                session,
                scored,
                model_sha256=model.sha256,
                threshold=model.threshold,
                domain_limit=model.ood_limit,
                worker=self.name,
                now=at,
            )
            for failure in failed:
                claims.fail(session, failure, worker=self.name, max_attempts=self._settings.worker.max_attempts, now=at)
        self._in_hand -= {claim.image_id for claim, _ in outcomes}
        if done < len(scored):
            log.warning("lease_lost", images=len(scored) - done, of_image_ids=[s.claim.image_id for s in scored])
        _log_failures(outcomes)

    def _next_sha256s(self) -> list[str]:
        with self._database.read() as session:
            return claims.next_sha256s(session, limit=outage.RECENT_IMAGES)

    def _hand_back(self, batch: Collection[Claim]) -> None:
        """Queue them again, untried: the store is to blame, and not the images."""
        image_ids = frozenset(claim.image_id for claim in batch)
        with self._database.begin() as session:
            claims.release(session, worker=self.name, image_ids=image_ids)
        self._in_hand -= image_ids
        for image_id in image_ids:
            self._prepared.pop(image_id, None)
        log.warning("storage_away", image_ids=sorted(image_ids))


def _urgent_first(batch: Sequence[Claim]) -> list[list[Claim]]:
    """A claim of both priorities as two batches, so that a clinician does not wait for the bulk images in it too."""
    urgent = [claim for claim in batch if claim.priority is Priority.INTERACTIVE]
    bulk = [claim for claim in batch if claim.priority is not Priority.INTERACTIVE]
    return [part for part in (urgent, bulk) if part]


def _scored(claim: Claim, prediction: Prediction, model: LoadedModel, prepared: Prepared | None) -> Scored:
    decided = model.decide(prediction)
    return Scored(
        claim,
        prediction.probability,
        Decision(decided.decision),
        prediction.ood_score,
        decided.reason,
        cam.pack(prediction.cam),
        notes=" ".join(prepared.notes) or None if prepared else None,
        box=list(astuple(prepared.box)) if prepared else None,
        preview=prepared.preview if prepared else None,
    )


def _log_failures(outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
    """A crash that took a whole batch has its traceback in the line of the first image alone."""
    told: set[int] = set()
    for claim, outcome in outcomes:
        if not isinstance(outcome, PneumoscreenError):
            continue
        crashed = isinstance(outcome, WorkerError) and id(outcome) not in told
        told.add(id(outcome))
        log.warning(
            "image_failed",
            image_id=claim.image_id,
            code=outcome.code,
            exc_info=outcome.__cause__ if crashed else None,
        )


def _failed(claim: Claim, error: PneumoscreenError) -> Failed:
    return Failed(claim, error.code, error.message, isinstance(error, Transient))
