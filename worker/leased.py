"""The images that this worker holds leases of: claimed, read and stored, for the scheduler's rules to act on."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from core import populations
from core.populations import Known
from core.settings import Settings
from db import claims, leases, outcomes
from db.claims import Claim
from db.session import Database, now
from db.states import Priority
from db.stores import StoreCheck
from imaging import preprocess
from imaging.preprocess import Prepared
from model.loaded import LoadedModel
from storage.base import BlobStore, storage_errors
from worker import outage
from worker.current_model import CurrentModel
from worker.outage import Outage
from worker.outcomes import failed, log_failures, scored
from worker.predict import Outcome
from worker.scheduler import Batch, Nothing

log = structlog.get_logger()


class LeasedImages:
    """A `batching.Source` over the database and the blob store. `ids` names the images under lease.

    `batches` and `images` count what was stored or handed back.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        blobs: BlobStore,
        current_model: CurrentModel,
        worker: str,
        stop: threading.Event,
    ) -> None:
        self.ids: frozenset[int] = frozenset()  # replaced, never changed: the heartbeat's thread reads it
        self.batches = 0
        self.images = 0
        self.outage = Outage(StoreCheck(database, blobs).require, blobs.exists, self._next_sha256s)
        self._settings = settings
        self._database = database
        self._blobs = blobs
        self._current_model = current_model
        self._worker = worker
        self._stop = stop
        self._prepared: dict[int, Prepared] = {}  # by image; written by the decoding threads
        self._since_s = time.monotonic()  # the last batch was stored, or nothing was under way

    @property
    def model(self) -> LoadedModel:
        return self._current_model.get()

    def forget(self) -> None:
        """Renew no lease any more: at the end, or after an error, so that the sweeper queues the images again."""
        self.ids = frozenset()
        self._prepared.clear()

    def claim(self, *, alone: bool) -> Sequence[Batch[Claim]] | Nothing:
        """With nothing under lease it waits while the blob store is away, and takes another model that was deployed."""
        if self._stop.is_set():
            return Nothing.LEFT
        if not alone and (self._current_model.is_change_due() or self.outage.lasts()):
            return Nothing.UNTIL_STORED  # what is under way is finished, or goes back, before the wait
        if not self.outage.wait_until_over(self._stop):
            return Nothing.LEFT
        if alone:
            self._current_model.change()
            self._since_s = time.monotonic()
        if claimed := self._claim(alone=alone):
            return _by_priority(claimed)
        if not alone and self._suspect_waits():
            return Nothing.UNTIL_STORED
        return Nothing.LEFT  # not asked again: what has just failed waits for the sweeper, and not for milliseconds

    def claim_interactive(self) -> Sequence[Batch[Claim]]:
        if self._stop.is_set():
            return []
        with self._database.read() as session:  # nearly always enough, and without a write
            if not claims.interactive_waits(session):
                return []
        return _by_priority(self._claim(alone=False, priorities=(Priority.INTERACTIVE,)))

    def read(self, item: Claim) -> NDArray[np.uint8]:
        with storage_errors("read"), self._blobs.open(item.sha256) as blob:
            data = blob.read()
        prepared = preprocess.prepare(data, max_pixels=self._settings.limits.max_pixels)
        self._prepared[item.image_id] = prepared
        return prepared.pixels

    def population(self, item: Claim) -> Known | None:
        return populations.known(item.population)

    def store(self, outcomes: Sequence[tuple[Claim, Outcome]], model: LoadedModel) -> None:
        excused = set(self.outage.excused(outcomes))
        if excused:
            self._hand_back(excused)
        self._finish([(claim, outcome) for claim, outcome in outcomes if claim not in excused], model)
        self.batches += 1
        self.images += len(outcomes)
        seconds, self._since_s = time.monotonic() - self._since_s, time.monotonic()
        image_ids = [claim.image_id for claim, _ in outcomes]
        log.info("batch", image_ids=image_ids, batch=self.batches, seconds=round(seconds, 3))

    def _finish(self, pairs: Sequence[tuple[Claim, Outcome]], model: LoadedModel) -> None:
        """One transaction: predictions, model, and every state change of the batch."""
        prepared = {claim.image_id: self._prepared.pop(claim.image_id, None) for claim, _ in pairs}
        judged = scored(pairs, model, prepared)
        with self._database.begin() as session:
            at = now(session)
            done = outcomes.finish(
                session,
                judged,
                model_sha256=model.sha256,
                threshold=model.threshold,
                ood_limit=model.ood_limit,
                worker=self._worker,
                now=at,
            )
            for failure in failed(pairs):
                max_attempts = self._settings.worker.max_attempts
                outcomes.fail(session, failure, worker=self._worker, max_attempts=max_attempts, now=at)
        self.ids -= {claim.image_id for claim, _ in pairs}
        if done < len(judged):
            log.warning("lease_lost", images=len(judged) - done, of_image_ids=[row.claim.image_id for row in judged])
        log_failures(pairs)

    def _claim(self, *, alone: bool, priorities: Sequence[Priority] = claims.IN_ORDER) -> list[Claim]:
        with self._database.begin() as session:
            claimed = claims.claim(
                session,
                worker=self._worker,
                limit=self._settings.worker.batch_size or self.model.engine.batch_size,
                lease_s=self._settings.worker.lease_s,
                now=now(session),
                alone=alone,
                priorities=priorities,
            )
        self.ids |= {claim.image_id for claim in claimed}
        return claimed

    def _suspect_waits(self) -> bool:
        with self._database.read() as session:
            return claims.suspect_waits(session)

    def _next_sha256s(self) -> list[str]:
        with self._database.read() as session:
            return claims.next_sha256s(session, limit=outage.RECENT_IMAGES)

    def _hand_back(self, batch: Collection[Claim]) -> None:
        """Queue them again, untried: the store is to blame, and not the images."""
        image_ids = frozenset(claim.image_id for claim in batch)
        with self._database.begin() as session:
            leases.release(session, worker=self._worker, image_ids=image_ids)
        self.ids -= image_ids
        for image_id in image_ids:
            self._prepared.pop(image_id, None)
        log.warning("storage_away", image_ids=sorted(image_ids))


def _by_priority(claimed: Sequence[Claim]) -> list[Batch[Claim]]:
    """A claim of both priorities as two batches, so that a clinician does not wait for the bulk images in it too."""
    interactive = [claim for claim in claimed if claim.priority is Priority.INTERACTIVE]
    bulk = [claim for claim in claimed if claim.priority is not Priority.INTERACTIVE]
    return [
        Batch(part, interactive=part is interactive, suspect=any(claim.crashes for claim in part))
        for part in (interactive, bulk)
        if part
    ]
