"""Add to a checkpoint the statistics by which it refuses images that are unlike its training images.

Only training images are used. Their patients are split: the statistics come from two thirds of them, the limit from
the other third, so that the limit holds for images that the statistics were not computed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from model import checkpoint
from model.card import Card, OodLimit
from model.ood import OodStatistics
from model.resnet import GrayResNet
from training.batches import in_batches
from training.calibrate import ood_copies
from training.data.dataset import Dataset
from training.progress import Progress, silent

IMAGES = 1200
"""Drawn from the data set: more hardly move the statistics and take longer."""
COMPONENTS = 128
SMALLEST_VARIANCE = 1e-3
QUANTILE = 0.9975
"""Of held-out images that each of the two scores lets through, so that both together refuse about 0.5 %."""
DISTANCE_MARGIN, CONTRAST_MARGIN = 2.5, 1.25
"""The limits are this much further from the median than that quantile: files at full size, and other devices, are
further away than copies at 224 px can show. Photos, hands and documents are at several times the limit even so.
"""
RULE = (
    "Two scores, of which the larger counts: distance to the training images, and contrast with spoilt copies of them. "
    "Each has its limit at the 99.75 % quantile of held-out patients' images and copies of them (cropped, turned, "
    f"exposed and compressed otherwise), with a margin of {DISTANCE_MARGIN:g} and {CONTRAST_MARGIN:g} times."
)

TWO_ANSWERS = "It knows two answers."
"""A model without these statistics has a limit in its card that begins so."""
LIMIT = (
    "It knows two answers: any other disease is called normal or pneumonia too. What is no upright frontal chest X-ray "
    "is refused as far as its scores tell; a chest X-ray of a patient unlike those it learned from mostly passes."
)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """Drawn images with one kept copy each, and spoilt copies of some; `held` (n,) marks those of held-out patients."""

    plain: Floats
    kept: Floats
    spoilt: dict[str, Floats]
    held: NDArray[np.bool_]
    spoilt_held: NDArray[np.bool_]
    patients: int

    def usual(self, members: NDArray[np.bool_]) -> Floats:
        return np.concatenate([self.plain[members], self.kept[members]])

    def unusual(self, members: NDArray[np.bool_]) -> Floats:
        return np.concatenate([features[members] for features in self.spoilt.values()])


def add_ood_statistics(source: Path, out: Path, dataset: Dataset, seed: int = 0, progress: Progress = silent) -> Card:
    """Write the checkpoint `source` with domain statistics of `dataset` to `out` (which may be the same file).

    Weights, calibration and operating point stay as they are; statistics that are there are replaced.

    Raises:
        ModelInvalid: `source` is no checkpoint that this version can run.
    """
    original = checkpoint.load(source)
    sample = draw(original.network, dataset, seed, progress)
    statistics = fit(sample, seed)
    limits = tuple(LIMIT if text.startswith(TWO_ANSWERS) else text for text in original.card.limits)
    section = original.card.quantization
    if section is not None:  # what is refused is part of the decisions that were compared
        section = section.model_copy(update={"agreement": {}})
    changes = {"ood": limit(statistics, sample), "limits": limits, "quantization": section}
    card = original.card.model_copy(update=changes)
    checkpoint.save(out, original.network.cpu(), card, statistics, original.gate, original.population)
    return card


def draw(network: GrayResNet, dataset: Dataset, seed: int, progress: Progress = silent) -> Sample:
    """Pooled features of up to `IMAGES` images of the data set, of a kept copy of each, and of spoilt copies."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(dataset.names))[:IMAGES]
    images, patients = dataset.pixels[chosen], np.array(dataset.patients)[chosen]
    held = hold_out(patients.tolist(), rng)
    some = slice(0, max(2, len(images) // 8))
    batches = {
        "plain": images,
        "kept": np.stack([ood_copies.kept(image, rng) for image in images]),
        **{name: np.stack([make(i, rng) for i in images[some]]) for name, make in ood_copies.SPOILT.items()},
    }
    features = _pooled_all(network, batches, progress)
    spoilt = {name: features[name] for name in ood_copies.SPOILT}
    return Sample(features["plain"], features["kept"], spoilt, held, held[some], len(set(patients.tolist())))


def hold_out(patients: Sequence[str], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Marks the images (n,) of a third of the patients."""
    names = np.unique(np.array(patients))
    return np.isin(np.array(patients), rng.permutation(names)[: max(1, len(names) // 3)])


def fit(sample: Sample, seed: int = 0) -> OodStatistics:
    """Statistics of the sample's other two thirds, with the ranges of both scores from the held-out third."""
    usual, unusual = sample.usual(~sample.held), sample.unusual(~sample.spoilt_held)
    mean, scale = usual.mean(0), usual.std(0) + 1e-6
    basis, variance = _components((usual - mean) / scale)
    weight = _contrast((usual - mean) / scale, (unusual - mean) / scale, seed)
    raw = OodStatistics(*(a.astype(np.float32) for a in (mean, scale, basis, variance, weight, np.eye(2))))
    standard = raw.standardised(sample.usual(sample.held))
    ranges = [_range(raw.distance(standard), DISTANCE_MARGIN), _range(raw.contrast(standard), CONTRAST_MARGIN)]
    return replace(raw, ranges=np.array(ranges, np.float32))


def limit(statistics: OodStatistics, sample: Sample) -> OodLimit:
    """What goes into the card: the limit, and what it refuses of held-out patients' images."""
    kinds = {"as they are": sample.plain[sample.held], "kept copies": sample.kept[sample.held]}
    kinds |= {name.replace("_", " "): features[sample.spoilt_held] for name, features in sample.spoilt.items()}
    shares = {name: float((statistics.score(features) > 1).mean()) for name, features in kinds.items()}
    return OodLimit(limit=1.0, rule=RULE, images=len(sample.plain), patients=sample.patients, refused={**shares})


def _components(standard: Floats) -> tuple[Floats, Floats]:
    """The leading principal components (k, D), and their variances with the mean one of the rest (k + 1,)."""
    values, vectors = np.linalg.eigh(np.cov(standard.T))
    count = min(COMPONENTS, len(standard) // 2)
    leading = values[::-1][:count].clip(SMALLEST_VARIANCE)
    rest = max(values[::-1][count:].mean(), SMALLEST_VARIANCE)
    return vectors[:, ::-1][:, :count].T.copy(), np.append(leading, rest)


def _contrast(usual: Floats, unusual: Floats, seed: int) -> Floats:
    model = LogisticRegression(C=1e-3, max_iter=500, class_weight="balanced", random_state=seed)
    model.fit(np.concatenate([usual, unusual]), np.repeat([0, 1], [len(usual), len(unusual)]))
    return np.append(model.coef_[0], model.intercept_)


def _range(values: Floats, margin: float) -> tuple[float, float]:
    """What becomes 0 (the median) and 1 (the quantile, further away by `margin`)."""
    low, high = float(np.median(values)), float(np.quantile(values, QUANTILE))
    return low, low + margin * max(high - low, 1e-6)


def _pooled_all(network: GrayResNet, kinds: dict[str, NDArray[np.uint8]], progress: Progress) -> dict[str, Floats]:
    total, done = sum(len(images) for images in kinds.values()), 0
    features = {}
    network.to("cuda" if torch.cuda.is_available() else "cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack memory_format
    for name, images in kinds.items():
        parts = []
        for batch in in_batches(images):
            parts.append(_pooled(network, batch))
            done += len(batch)
            progress(done, total)
        features[name] = np.concatenate(parts)
    return features


def _pooled(network: GrayResNet, images: NDArray[np.uint8]) -> Floats:
    device = next(network.parameters()).device
    with torch.inference_mode():
        pooled: Floats = network(torch.from_numpy(images).to(device)).features.float().cpu().numpy()
    return pooled
