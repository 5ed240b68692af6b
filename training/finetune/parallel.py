"""One network's training on several GPUs: a process each, started and kept in step by Lightning Fabric.

The processes live for one network's training alone. What they learned comes back as the state file, which is what an
interrupted run goes on from too; reading, calibration and figures stay in the process that was started.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

from lightning_fabric import Fabric

from core.errors import ConfigurationError
from model.resnet import GrayResNet
from training.augment.distort import DistortConfig
from training.augment.loader import LabelledImages
from training.finetune import devices
from training.finetune.loop import FineTuned, Run
from training.finetune.schedule import FinetuneConfig
from training.lungs.network import LungNetwork
from training.progress import Progress, silent

SHARE_IMAGES = 4
"""The fewest images that a process takes of a full batch; of the smallest remainder that is trained on it has two."""


@dataclass(frozen=True)
class Job:
    """All that one network's training needs, as each process gets it; see `Run.fit`."""

    network: GrayResNet
    config: FinetuneConfig
    distortion: DistortConfig
    seed: int
    train: LabelledImages
    state: Path
    validation: LabelledImages | None = None
    epochs: int | None = None
    lungs: LungNetwork | None = None

    def run(self, fabric: Fabric, progress: Progress) -> FineTuned:
        """Train in this process, as one of those that `fabric` has."""
        run = Run(self.network, self.config, self.distortion, self.seed, fabric, self.lungs)
        return run.fit(self.train, self.state, validation=self.validation, epochs=self.epochs, progress=progress)


def fit(job: Job, progress: Progress = silent, count: int | None = None) -> FineTuned:
    """Train on `count` devices, by default on all GPUs there are; on one, in this process.

    Raises:
        ConfigurationError: batches are too small for so many devices.
    """
    fabric = devices.fabric(job.config.precision, count)
    if fabric.world_size > 1:
        _check(job.config.batch_size, fabric.world_size)
        with _relay(progress) as sender:
            fabric.launch(partial(_work, job=job, sender=sender))
    # After the launch the state file holds every epoch, so this trains no more: it reads the network from there.
    return job.run(devices.fabric(job.config.precision, 1), progress)


def _check(batch_size: int, processes: int) -> None:
    least = SHARE_IMAGES * processes
    if batch_size < least:
        raise ConfigurationError(
            f"{processes} devices share each batch, and {batch_size} images are too few for that: set batch_size to "
            f"{least} or more, or let CUDA_VISIBLE_DEVICES show fewer devices."
        )


def _work(fabric: Fabric, *, job: Job, sender: Connection) -> None:
    def tell(done: int, total: int) -> None:
        sender.send((done, total))

    job.run(fabric, tell if fabric.is_global_zero else silent)


@contextmanager
def _relay(progress: Progress) -> Iterator[Connection]:
    """What another process sends goes to `progress`, until the last one that could send has ended."""
    receiver, sender = get_context("spawn").Pipe(duplex=False)

    def listen() -> None:
        with suppress(EOFError, OSError):
            while True:
                progress(*receiver.recv())

    listener = Thread(target=listen, name="progress", daemon=True)
    listener.start()
    try:
        yield sender
    finally:
        sender.close()
        listener.join()
        receiver.close()
