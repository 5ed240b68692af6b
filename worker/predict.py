"""Images to outcomes: whatever goes wrong costs the images that it hit, and no other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from core.errors import DeviceLost, OutOfMemory, PneumoscreenError, Transient
from core.populations import Known
from model.decision import Prediction
from model.loaded import LoadedModel

Item = TypeVar("Item")
Pixels = NDArray[np.uint8]
Decoded = Pixels | PneumoscreenError
Outcome = Prediction | PneumoscreenError
"""What the model says, or why it says nothing."""

log = structlog.get_logger()


class WorkerError(Transient):
    """Something that no code expected; tried again, since it may lie in the machine and not in the image."""

    code = "worker_error"


def decoded(read: Callable[[Item], Pixels], item: Item) -> Decoded:
    """What `read` gives, or why it gives nothing."""
    try:
        return read(item)
    except PneumoscreenError as error:
        return error
    except MemoryError:
        return OutOfMemory("There was not enough memory to decode the image.")
    except Exception as error:
        return _unexpected("The decoder", error)


def outcomes(decoding: Sequence[Future[Decoded]], known: Sequence[Known | None], model: LoadedModel) -> list[Outcome]:
    """Wait for the images of a batch, and put those that could be decoded through the network.

    `known` has the population of each as far as it is known beforehand.

    Raises:
        DeviceLost: only a new process can go on.
    """
    images = [future.result() for future in decoding]
    good = [pixels for pixels in images if isinstance(pixels, np.ndarray)]
    of_good = [told for told, pixels in zip(known, images, strict=True) if isinstance(pixels, np.ndarray)]
    predicted = iter(_predict(np.stack(good), of_good, model) if good else [])
    return [next(predicted) if isinstance(pixels, np.ndarray) else pixels for pixels in images]


def _predict(pixels: NDArray[np.uint8], known: Sequence[Known | None], model: LoadedModel) -> list[Outcome]:
    """uint8 (N, 224, 224) -> N outcomes; halves the batch as long as the device has not enough memory for it.

    Raises:
        DeviceLost: no image is to blame, and none behind it would fare better.
    """
    try:
        return [_checked(prediction, model) for prediction in model.predict(pixels, known)]
    except DeviceLost:
        raise
    except OutOfMemory as error:
        if len(pixels) == 1:
            return [error]
        log.warning("batch_halved", images=len(pixels))
    except Exception as error:
        return [_unexpected("The forward pass", error)] * len(pixels)
    middle = len(pixels) // 2
    first = _predict(pixels[:middle], known[:middle], model)
    return first + _predict(pixels[middle:], known[middle:], model)


def _unexpected(what: str, cause: Exception) -> WorkerError:
    """Its `__cause__` is for the log of whoever knows which image it was."""
    error = WorkerError(f"{what} failed unexpectedly ({type(cause).__name__}).")
    error.__cause__ = cause
    return error


def _checked(prediction: Prediction, model: LoadedModel) -> Outcome:
    """A network that overflowed answers NaN, which is below every threshold and limit: it must not be read as
    `normal`, nor as an image like those that the model was made from.
    """
    if not 0 <= prediction.probability <= 1:
        return WorkerError("The model gave no probability between 0 and 1 for this image.")
    score = prediction.ood_score
    if model.ood_limit is not None and (score is None or not math.isfinite(score)):
        return WorkerError("The model could not tell whether this image is of the kind it was made for.")
    if model.gate_limits is not None and (prediction.kinds is None or not np.isfinite(prediction.kinds).all()):
        return WorkerError("The model could not tell what this image shows.")
    if prediction.judged_as is not None and not math.isfinite(prediction.judged_as.adult):
        return WorkerError("The model could not tell a child from an adult in this image.")
    return prediction
