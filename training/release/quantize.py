"""Add to a checkpoint what it needs to run on 8-bit integers, and how far it then agrees with itself in float32.

Ranges come from training images. The agreement is that of the validation part, by which `auto` decides, and of the
test part, which is reported. Weights, calibration and operating point stay as they are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from model import checkpoint
from model.card import SITE, VALIDATION, Agreement, Card, Quantization
from model.checkpoint import Checkpoint
from model.decision import Prediction
from model.engines.openvino import OpenVinoEngine, observe
from model.engines.runtime import has_bfloat16
from model.fuse import fuse
from model.loaded import LoadedModel
from training.batches import in_batches
from training.data import split
from training.data.dataset import Dataset
from training.progress import Progress, StageProgress, stage

IMAGES = 300
"""Training images that ranges are measured on; more hardly move them."""
KEPT = 0.6
"""Share of the largest activation that the range reaches: what is beyond is cut off, and the rest rounded more finely.
From 0.55 to 0.75 it makes little difference; below, logits stray further.
"""
BATCH = 16
PARTS = (VALIDATION, "test")


def add_quantization(source: Path, out: Path, dataset: Dataset, seed: int, progress: StageProgress) -> Card:
    """Write the checkpoint `source` with a section on quantisation to `out` (which may be the same file).

    Raises:
        InvalidInput: the data set is not the one that the model was trained on, so its parts are unknown.
        ModelInvalid: `source` is no checkpoint that this version can run.
    """
    original = checkpoint.load(source)
    if dataset.digest != original.card.training_data.digest:
        raise InvalidInput(
            f"These images are not those that {original.card.name} was trained on, "
            "so its validation part cannot be told."
        )
    section = measure(original, dataset, seed, progress)
    card = original.card.model_copy(update={"quantization": section})
    checkpoint.save(out, original.network, card, original.ood)
    return card


def measure(original: Checkpoint, dataset: Dataset, seed: int, progress: StageProgress) -> Quantization:
    """Ranges from the training part of the model's own split, agreement on its other parts."""
    parts = split.parts(
        split.assign_folds(dataset.labels, dataset.patients, original.card.config["seed"], dataset.sources)
    )
    known = np.flatnonzero(parts == "train")
    drawn = np.sort(np.random.default_rng(seed).permutation(known)[:IMAGES])
    ranging = stage(progress, "ranges")
    highest = observe(fuse(original.network), dataset.pixels[drawn], lambda done: ranging(done, len(drawn)))
    ranges = {name: KEPT * high for name, high in highest.items()}
    raw = Quantization(ranges=ranges, images=len(drawn), bfloat16=has_bfloat16(), agreement={})
    floating, shifted = _loaded(original, None), _loaded(original, raw)
    shift = mean_shift(floating, shifted, dataset.pixels[drawn], stage(progress, "shift"))
    section = raw.model_copy(update={"shift": shift})
    integer = _loaded(original, section)
    agreement = {
        part: agree(floating, integer, dataset.pixels[parts == part], stage(progress, f"agreement, {part}"))
        for part in PARTS
    }
    return section.model_copy(update={"agreement": agreement})


def mean_shift(reference: LoadedModel, other: LoadedModel, pixels: NDArray[np.uint8], progress: Progress) -> float:
    """Return how much higher the logits of `other` are on uint8 (N, 224, 224). A logit is the mean of a CAM."""
    changes: list[float] = []
    for batch in in_batches(pixels, progress, BATCH):
        ours, theirs = (model.predict(batch).cam.astype(np.float64) for model in (reference, other))
        changes.extend((theirs - ours).mean((1, 2)))
    return float(np.mean(changes))


def agree(reference: LoadedModel, other: LoadedModel, pixels: NDArray[np.uint8], progress: Progress) -> Agreement:
    """Compare one model on two engines on images uint8 (N, 224, 224)."""
    equal: list[bool] = []
    changes: list[float] = []
    for batch in in_batches(pixels, progress, BATCH):
        for ours, theirs in zip(reference.predict(batch), other.predict(batch), strict=True):
            equal.append(_decision(ours, reference) == _decision(theirs, reference))
            changes.append(abs(ours.probability - theirs.probability))
    return Agreement(
        images=len(pixels),
        equal_decisions=float(np.mean(equal)),
        # method higher: a value that was seen, so that the statement holds of so few images too
        probability_change_p99=float(np.quantile(changes, 0.99, method="higher")),
    )


def measure_site(file: Path, pixels: NDArray[np.uint8], progress: Progress) -> None:
    """Measure the agreement of a checkpoint with a site's operating point anew, on the site's images, in place.

    The ranges hold, as the weights are its parent's. A checkpoint that cannot run on integers is left as it is.
    """
    original = checkpoint.load(file)
    section = original.card.quantization
    if section is None or not section.complete:
        return
    section = section.model_copy(update={"bfloat16": has_bfloat16()})
    floating, integer = _loaded(original, None), _loaded(original, section)
    agreement = {SITE: agree(floating, integer, pixels, progress)}
    section = section.model_copy(update={"agreement": agreement})
    checkpoint.save(file, original.network, original.card.model_copy(update={"quantization": section}), original.ood)


def _loaded(original: Checkpoint, quantization: Quantization | None) -> LoadedModel:
    return LoadedModel.of(original, OpenVinoEngine(original.network, quantization))


def _decision(prediction: Prediction, model: LoadedModel) -> str:
    return model.decide(prediction).decision
