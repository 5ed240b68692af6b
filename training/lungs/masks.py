"""Lung masks of a whole data set, and the file that holds them.

A network learns from the images whose lungs the classical way found without doubt, and predicts all images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from core.atomic import replacement
from core.errors import InvalidInput
from training.lungs import classical
from training.lungs.fit import fit, predict
from training.lungs.network import LungNetwork
from training.progress import Progress, StageProgress, stage

SURE_LIKENESS, SURE_EDGE = 0.83, 0.88
"""From which a classical mask is an example."""


@dataclass(frozen=True)
class LungMasks:
    """`masks` is uint8 (N, MASK_PX, MASK_PX): probability of lung, 255 for certain, of the images `names`."""

    names: list[str]
    masks: NDArray[np.uint8]

    def of(self, names: Sequence[str]) -> NDArray[np.float32]:
        """float32 0..1 (n, MASK_PX, MASK_PX) of these images, in their order.

        Raises:
            InvalidInput: one has no mask.
        """
        at = {name: number for number, name in enumerate(self.names)}
        missing = [name for name in names if name not in at]
        if missing:
            raise InvalidInput(f"{len(missing)} images have no lung mask, {missing[0]} among them. Make masks of them.")
        return np.asarray(self.masks[[at[name] for name in names]] / np.float32(255), dtype=np.float32)


def make(
    pixels: NDArray[np.uint8], clear: NDArray[np.bool_], *, steps: int, seed: int, progress: StageProgress
) -> NDArray[np.uint8]:
    """Masks uint8 (N, MASK_PX, MASK_PX) of images uint8 (N, H, W), by a network that learns from them (`learn`).

    Raises:
        InvalidInput: no image has lungs that are found without doubt.
    """
    network = learn(pixels, clear, steps=steps, seed=seed, progress=progress)
    probability = predict(network, pixels, stage(progress, "lung masks"))
    return np.asarray((probability * 255).round(), dtype=np.uint8)


def learn(
    pixels: NDArray[np.uint8], clear: NDArray[np.bool_], *, steps: int, seed: int, progress: StageProgress
) -> LungNetwork:
    """A network that finds the lungs of images like these, uint8 (N, H, W).

    Args:
        clear: images (N,) without pneumonia, among which sure lungs are looked for: a consolidated lung has no edge.
        steps: batches from which it learns.

    Raises:
        InvalidInput: no image has lungs that are found without doubt.
    """
    masks = sure(pixels, clear, stage(progress, "sure lungs"))
    known = masks.any((1, 2))
    if not known.any():
        raise InvalidInput("No lungs were found without doubt on any of these images, so no network can learn them.")
    return fit(pixels[known], masks[known], steps=steps, seed=seed, progress=stage(progress, "lung network"))


def sure(pixels: NDArray[np.uint8], clear: NDArray[np.bool_], progress: Progress) -> NDArray[np.bool_]:
    """Classical masks bool (N, 112, 112); empty where there is doubt."""
    masks = np.zeros((len(pixels), classical.SIDE_PX, classical.SIDE_PX), dtype=np.bool_)
    images = np.flatnonzero(clear)
    for done, number in enumerate(images, 1):
        lungs = classical.find(pixels[number])
        if lungs is not None and lungs.likeness >= SURE_LIKENESS and lungs.edge >= SURE_EDGE:
            masks[number] = lungs.mask
        progress(done, len(images))
    return masks


def write(file: Path, masks: LungMasks) -> None:
    """Write the file whole or not at all."""
    with replacement(file) as draft, draft.open("wb") as out:
        np.savez_compressed(out, names=np.array(masks.names), masks=masks.masks)


def read(file: Path) -> LungMasks:
    """The inverse of `write`.

    Raises:
        InvalidInput: no such file, or something else.
    """
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return LungMasks(arrays["names"].tolist(), arrays["masks"])
    except (OSError, EOFError, TypeError, ValueError, KeyError, BadZipFile) as error:
        raise InvalidInput(f"{file} is no file of lung masks: {error}") from error
