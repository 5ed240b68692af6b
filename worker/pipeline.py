"""What one worker process does with the images it leases, until none is queued.

Claims and stores run in the thread that drains, decoding and the network in threads of their own.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import structlog

from core.settings import Settings
from db import claims, leases
from db.session import Database, now
from model.loaded import LoadedModel
from storage.base import BlobStore
from worker.batching import decoders, screen
from worker.current_model import CurrentModel, Load
from worker.deployed_model import DeployedModel
from worker.leased import LeasedImages

log = structlog.get_logger()


class Pipeline:
    """The work of one worker process; `drain` runs in one thread at a time."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        blobs: BlobStore,
        load_model: Load,
        name: str,
        deployed: DeployedModel | None = None,
    ) -> None:
        self.name = name
        self.deployed = deployed
        self._settings = settings
        self._database = database
        self._stop = threading.Event()
        self._pool = decoders(settings.worker.decode_threads)
        self._network = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._current_model = CurrentModel(load_model, self._network, deployed)
        self._leased = LeasedImages(settings, database, blobs, self._current_model, name, self._stop)

    def load_model(self) -> bool:
        """Load the first model; if the blob store, in which it lies, is away, wait for it. False if stopped meanwhile.

        Raises:
            ModelInvalid: it is missing or damaged.
            ConfigurationError: the engine of the settings cannot run it here.
            SQLAlchemyError: the database does not answer.
        """
        return self._leased.outage.wait_for(self._current_model.get, self._stop) is not None

    @property
    def model(self) -> LoadedModel:
        """Loaded on first use."""
        return self._current_model.get()

    @property
    def loaded_model(self) -> LoadedModel | None:
        """The same; None until it is loaded."""
        return self._current_model.loaded

    def change_model(self) -> None:
        """Take the deployed model if it is another one, while nothing is queued; `drain` does so by itself."""
        self._current_model.change()

    @property
    def batches(self) -> int:
        """How many were stored since the process began."""
        return self._leased.batches

    @property
    def images(self) -> int:
        """How many were in these batches."""
        return self._leased.images

    @property
    def paused_reason(self) -> str | None:
        """Why nothing is claimed at present, as a sentence."""
        return self._leased.outage.reason

    def work_waits(self) -> bool:
        """Whether a claim would find something."""
        with self._database.read() as session:
            return claims.work_waits(session)

    def drain(self) -> int:
        """Screen until nothing is queued. Returns how many images were stored or handed back."""
        before = self.images
        try:
            screen(self._leased, self._pool, self._network)
        finally:
            self._leased.forget()
        return self.images - before

    def renew_leases(self) -> None:
        """Called by the heartbeat while a batch is in work."""
        with self._database.begin() as session:
            ids, lease_s = self._leased.ids, self._settings.worker.lease_s
            leases.renew(session, worker=self.name, image_ids=ids, lease_s=lease_s, now=now(session))

    def stop(self) -> None:
        """Claim nothing more; finish what is claimed."""
        self._stop.set()

    def close(self) -> None:
        """Hand back what is leased, and end the threads."""
        self._pool.shutdown(cancel_futures=True)
        self._network.shutdown(cancel_futures=True)
        with self._database.begin() as session:
            released = leases.release(session, worker=self.name)
        if released:
            log.info("released", images=released)
