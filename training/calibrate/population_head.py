"""The layer that tells a child's chest from an adult's, and its way into a checkpoint.

It is fitted on features of the final network, which learned from these images, though not whose they are. So what it
tells is measured on images of patients that the layer was fitted without, and once more without whole sources: where
each source has one population, a layer may tell the hospital instead of the patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from core.populations import Population
from model import checkpoint
from model.card import Card, Populations
from model.population import PopulationHead
from model.resnet import GrayResNet
from model.weights import FEATURES
from training.batches import BATCH_SIZE
from training.calibrate import gate_copies
from training.calibrate.gate_examples import pooled
from training.calibrate.population_points import RULE, Points
from training.data.dataset import Dataset
from training.progress import Progress, silent

FOLDS = 5
IMAGES = 500
"""Drawn from each source, as many of either class: more hardly move the layer and take longer."""
COPIES = 2
"""Of each image, varied as hospitals do."""
REGULARIZATION = 1e-3
"""scikit-learn's C, for each example."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """n examples, with the features (n, 512) of each; `plain` marks images as they are, which are no copies."""

    features: Floats
    adult: NDArray[np.bool_]
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]
    folds: NDArray[np.int64]
    plain: NDArray[np.bool_]

    def select(self, members: NDArray[np.bool_]) -> Examples:
        return Examples(*(getattr(self, field.name)[members] for field in fields(self)))


def add_populations(
    source: Path,
    out: Path,
    dataset: Dataset,
    populations: NDArray[np.str_],
    points: Points,
    seed: int = 0,
    progress: Progress = silent,
) -> Card:
    """Write the checkpoint `source` with the points of populations, and the layer that tells these, to `out` (which may
    be the same file). Returns the new card.

    `populations` (n,) names that of each image of the data set, empty where nobody knows it.

    Raises:
        ModelInvalid: `source` is no checkpoint that this version can run.
    """
    original = checkpoint.load(source)
    drawn = examples(original.network, dataset, populations, seed, progress)
    section = Populations(
        child=points[Population.CHILD], adult=points[Population.ADULT], rule=RULE, told=told_rightly(drawn)
    )
    card = original.card.model_copy(update={"populations": section})
    checkpoint.save(out, original.network.cpu(), card, original.ood, original.gate, fit(drawn))
    return card


def fit(examples: Examples) -> PopulationHead:
    """Logistic regression on standardised features; the standardisation is a part of its weights.

    Its bias is moved so that layers which were fitted without an example's patient tell as large a share of the
    children rightly as of the adults.
    """
    weight = _regression(examples).weight.copy()
    weight[-1] -= even_border(_out_of_fold(examples), examples.adult)
    return PopulationHead(weight)


def even_border(logits: Floats, adult: NDArray[np.bool_]) -> float:
    """The logit of (n,) at which the share of adults above it and that of children below it are closest."""
    borders = np.sort(logits)
    children = np.searchsorted(np.sort(logits[~adult]), borders) / (~adult).sum()
    adults = 1 - np.searchsorted(np.sort(logits[adult]), borders) / adult.sum()
    return float(borders[np.abs(children - adults).argmin()])


def _out_of_fold(examples: Examples) -> Floats:
    """Logits (n,), each of a layer that was fitted without the example's patient."""
    logits = np.empty(len(examples.adult), np.float32)
    for fold in range(FOLDS):
        members = examples.folds == fold
        logits[members] = _logits(_regression(examples.select(~members)), examples.features[members])
    return logits


def _logits(head: PopulationHead, features: Floats) -> Floats:
    return np.asarray(features @ head.weight[:-1] + head.weight[-1], np.float32)


def _regression(examples: Examples) -> PopulationHead:
    mean, scale = examples.features.mean(0), examples.features.std(0) + 1e-6
    weights = _weights(examples)
    model = LogisticRegression(C=REGULARIZATION * len(weights), max_iter=500)
    model.fit((examples.features - mean) / scale, examples.adult, sample_weight=weights)
    weight = model.coef_[0] / scale
    return PopulationHead(np.append(weight, model.intercept_[0] - weight @ mean).astype(np.float32))


def told_rightly(examples: Examples) -> dict[str, float]:
    """Share that is told rightly by layers that were fitted without the patient or, for each source that is not the
    only one of its population, without that source.
    """
    logits = _out_of_fold(examples)
    border = even_border(logits, examples.adult)
    right = (logits >= border) == examples.adult
    shares = {}
    for population, adult in ((Population.CHILD, False), (Population.ADULT, True)):
        members = examples.adult == adult
        shares[str(population)] = float(right[members & examples.plain].mean())
        shares[f"{population}, varied copies"] = float(right[members & ~examples.plain].mean())
    for name in _removable(examples):
        others, members = examples.sources != name, (examples.sources == name) & examples.plain
        told = _logits(_regression(examples.select(others)), examples.features[members]) >= border
        shares[f"{name}, fitted without it"] = float((told == examples.adult[members]).mean())
    return shares


def examples(
    network: GrayResNet, dataset: Dataset, populations: NDArray[np.str_], seed: int, progress: Progress = silent
) -> Examples:
    """Draw images whose population is known, and put them and copies of them through the network."""
    rng = np.random.default_rng(seed)
    sources, patients = np.array(dataset.sources), np.array(dataset.patients)
    members = np.sort(np.concatenate([_draw(dataset, populations, name, rng) for name in np.unique(sources)]))
    names, patient = np.unique(patients[members], return_inverse=True)
    repeated = np.repeat(members, 1 + COPIES)
    return Examples(
        features=_features(network, _with_copies(dataset, members.tolist(), rng), len(repeated), progress),
        adult=populations[repeated] == Population.ADULT,
        labels=dataset.labels[repeated],
        sources=sources[repeated],
        folds=np.repeat(rng.permutation(len(names))[patient] % FOLDS, 1 + COPIES),
        plain=np.arange(len(repeated)) % (1 + COPIES) == 0,
    )


def _draw(dataset: Dataset, populations: NDArray[np.str_], source: str, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of up to `IMAGES` images of a source, as many of either class as far as there are."""
    of_source = np.flatnonzero((np.array(dataset.sources) == source) & (populations != ""))
    order = rng.permutation(of_source)
    return np.concatenate([order[dataset.labels[order] == label][: IMAGES // 2] for label in (0, 1)])


def _with_copies(dataset: Dataset, members: Sequence[int], rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    for member in members:
        yield dataset.pixels[member]
        for _ in range(COPIES):
            yield gate_copies.varied(dataset.pixels[member], rng)


def _features(network: GrayResNet, images: Iterator[NDArray[np.uint8]], total: int, progress: Progress) -> Floats:
    """The last 512 pooled features (n, 512)."""
    network.to("cuda" if torch.cuda.is_available() else "cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack memory_format
    parts: list[Floats] = []
    done = 0
    while batch := list(islice(images, BATCH_SIZE)):
        parts.append(pooled(network, np.stack(batch))[:, -FEATURES:])
        done += len(batch)
        progress(done, total)
    return np.concatenate(parts)


def _removable(examples: Examples) -> list[str]:
    """The sources without which both populations are left, and whose images are of one."""
    names: list[str] = np.unique(examples.sources).tolist()
    without = {name: examples.adult[examples.sources != name] for name in names}
    return [name for name in names if without[name].any() and not without[name].all()]


def _weights(examples: Examples) -> NDArray[np.float64]:
    """One for each example; they sum to 1. Both populations weigh the same, within each both classes do, so that a
    child is not the disease, and within these all sources.
    """
    weights = np.zeros(len(examples.adult))
    for adult in (False, True):
        labels = np.unique(examples.labels[examples.adult == adult])
        for label in labels:
            cell = (examples.adult == adult) & (examples.labels == label)
            names = np.unique(examples.sources[cell])
            for name in names:
                members = cell & (examples.sources == name)
                weights[members] = 1 / 2 / len(labels) / len(names) / members.sum()
    return weights
