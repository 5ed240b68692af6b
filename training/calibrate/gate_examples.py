"""Features of what the gate learns from: frontal chest X-rays, what is made of them, and images of other kinds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.errors import InvalidInput, PneumoscreenError
from core.kinds import ImageKind
from imaging import decode
from imaging.preprocess import DECODED_PX
from model.gate import FRONTAL, KINDS
from model.resnet import GrayResNet
from training.batches import BATCH_SIZE
from training.calibrate import gate_copies
from training.calibrate.gate_copies import Gray
from training.data.dataset import Dataset
from training.data.sources import SUFFIXES
from training.progress import Progress, silent

FOLDS = 5
IMAGES = 500
"""Drawn from each set of frontal images, as many of either class: more hardly move the gate and take longer."""
KEPT = 2
"""Varied copies of each frontal image, which must be judged."""
SPOILT_SHARE = 0.25
"""Of the drawn frontal images, from which a copy of each other kind is made."""
COPIES = {ImageKind.LATERAL: 40, ImageKind.OTHER: 6}
"""Of each image of another kind, of which there are few."""
LATERAL = "lateral"
"""How the name of the folder of lateral views begins."""
LATERAL_ON_SHEETS = 0.3
"""Share of the sheets of several films that show lateral views too, as the two of one examination."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Frontal:
    """A set of upright frontal chest X-rays. `views` holds `pa`, `ap` or nothing for each image of the set."""

    name: str
    dataset: Dataset
    views: Sequence[str]


@dataclass(frozen=True)
class Other:
    """One image that is no frontal chest X-ray, gray and upright; `folder` names its kind, `fold` where it is left out.

    A fold leaves out whole folders, so that what is measured is what the gate says of kinds that it never saw. Lateral
    views are a kind that it has to name: they are left out one by one.
    """

    folder: str
    gray: Gray
    fold: int

    @property
    def kind(self) -> ImageKind:
        return ImageKind.LATERAL if self.folder.startswith(LATERAL) else ImageKind.OTHER


@dataclass(frozen=True)
class Example:
    """What is known of one example: where it is from (`group`), and whether it is an image as it is, and no copy."""

    kind: ImageKind
    group: str
    fold: int
    plain: bool = False
    view: str = ""
    label: int = 0


@dataclass(frozen=True)
class Examples:
    """n examples: `features` (n, 768), `kinds` (n,) places in `model.gate.KINDS`, the rest (n,) as in `Example`."""

    features: Floats
    kinds: NDArray[np.int64]
    groups: NDArray[np.str_]
    folds: NDArray[np.int64]
    plain: NDArray[np.bool_]
    views: NDArray[np.str_]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, features: Floats, known: Sequence[Example]) -> Examples:
        return cls(
            features=features,
            kinds=np.array([KINDS.index(one.kind) for one in known]),
            groups=np.array([one.group for one in known]),
            folds=np.array([one.fold for one in known]),
            plain=np.array([one.plain for one in known]),
            views=np.array([one.view for one in known]),
            labels=np.array([one.label for one in known]),
        )

    @property
    def frontal(self) -> NDArray[np.bool_]:
        frontal: NDArray[np.bool_] = self.kinds == FRONTAL
        return frontal

    def select(self, members: NDArray[np.bool_]) -> Examples:
        return Examples(*(getattr(self, field.name)[members] for field in fields(self)))


def read_others(folder: Path) -> list[Other]:
    """The images below `folder`, which holds a folder for each kind; that of lateral views is called `lateral…`.

    Raises:
        InvalidInput: no lateral views, no others, or a file that cannot be read.
    """
    paths = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES)
    laterals = [path for path in paths if path.parent.name.startswith(LATERAL)]
    folders = sorted({path.parent.name for path in paths if path not in laterals})
    if not laterals or not folders:
        raise InvalidInput(
            f"{folder} must hold a folder of images for each kind that is no frontal chest X-ray: "
            f"one whose name begins with {LATERAL}, and others."
        )
    lateral = [Other(path.parent.name, _gray(path), number % FOLDS) for number, path in enumerate(laterals)]
    rest = [path for path in paths if path not in laterals]
    return lateral + [Other(path.parent.name, _gray(path), folders.index(path.parent.name) % FOLDS) for path in rest]


def examples(
    network: GrayResNet, frontal: Sequence[Frontal], others: Sequence[Other], seed: int, progress: Progress = silent
) -> Examples:
    """Draw images, make copies and put all of them through the network. The same seed gives the same examples."""
    rng = np.random.default_rng(seed)
    drawn = [_draw(source.dataset, rng) for source in frontal]
    total = sum(len(members) * (1 + KEPT) + _spoilt(members) * (len(gate_copies.SPOILT) + 1) for members in drawn)
    total += sum(1 + COPIES[other.kind] for other in others)
    sets = [_of_frontal(source, members, others, rng) for source, members in zip(frontal, drawn, strict=True)]
    made, known, parts = chain(*sets, _of_others(others, rng)), [], []
    network.to("cuda" if torch.cuda.is_available() else "cpu", memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack memory_format
    while batch := list(islice(made, BATCH_SIZE)):
        parts.append(pooled(network, np.stack([pixels for pixels, _ in batch])))
        known += [example for _, example in batch]
        progress(len(known), total)
    return Examples.of(np.concatenate(parts), known)


def pooled(network: GrayResNet, images: NDArray[np.uint8]) -> Floats:
    """uint8 (N, 224, 224) -> features (N, 768), on the device of the network."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        features: Floats = network(torch.from_numpy(images).to(device)).features.float().cpu().numpy()
    return features


def _draw(dataset: Dataset, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of up to `IMAGES` images, as many of either class as far as there are."""
    order = rng.permutation(len(dataset.names))
    classes = [order[dataset.labels[order] == label][: IMAGES // 2] for label in (0, 1)]
    return np.concatenate(classes)


def _spoilt(members: NDArray[np.int64]) -> int:
    return round(SPOILT_SHARE * len(members))


def _of_frontal(
    source: Frontal, members: NDArray[np.int64], others: Sequence[Other], rng: np.random.Generator
) -> Iterator[tuple[Gray, Example]]:
    """The images as they are, their varied copies, and of some the spoilt ones and sheets of several films."""
    patients = rng.permutation(np.unique(np.array(source.dataset.patients)[members]))
    fold_of = {patient: number % FOLDS for number, patient in enumerate(patients.tolist())}
    folds = np.array([fold_of[source.dataset.patients[member]] for member in members])
    for member, fold in zip(members.tolist(), folds.tolist(), strict=True):
        gray, view, label = source.dataset.pixels[member], source.views[member], int(source.dataset.labels[member])
        yield gray, Example(ImageKind.FRONTAL, source.name, fold, plain=True, view=view, label=label)
        for _ in range(KEPT):
            yield gate_copies.varied(gray, rng), Example(ImageKind.FRONTAL, source.name, fold, view=view, label=label)
    for place in rng.permutation(len(members))[: _spoilt(members)].tolist():
        gray, fold = source.dataset.pixels[members[place]], int(folds[place])
        for kind, spoil in gate_copies.SPOILT.items():
            yield spoil(gray, rng), Example(kind, str(kind), fold)
        beside = [gray, *source.dataset.pixels[rng.choice(members[folds == fold], 2)]]
        laterals = [other.gray for other in others if other.kind is ImageKind.LATERAL and other.fold == fold]
        if laterals and rng.random() < LATERAL_ON_SHEETS:
            beside = [gray, laterals[rng.integers(len(laterals))]]
        yield gate_copies.several(beside, rng), Example(ImageKind.SEVERAL, str(ImageKind.SEVERAL), fold)


def _of_others(others: Sequence[Other], rng: np.random.Generator) -> Iterator[tuple[Gray, Example]]:
    for other in others:
        yield gate_copies.screened(other.gray), Example(other.kind, other.folder, other.fold, plain=True)
        for _ in range(COPIES[other.kind]):
            copy = gate_copies.varied(other.gray, rng)
            if other.kind is ImageKind.OTHER:  # whichever way up it lies, it is not to be judged
                copy = np.rot90(copy, int(rng.integers(4))).copy()
            yield copy, Example(other.kind, other.folder, other.fold)


def _gray(path: Path) -> Gray:
    try:
        return decode.decode(path.read_bytes(), at_least_px=DECODED_PX)
    except (OSError, PneumoscreenError) as error:
        raise InvalidInput(f"{path} cannot be read as an image: {error} Take it out of the folder.") from error
