"""Lung masks of a whole data set in two rounds, and the file that holds them.

First a network learns from the images whose lungs the classical way found without doubt. Of the others, those of which
it says the same as of their mirror image become examples too; a second network learns from all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from core.atomic import replacement
from core.errors import InvalidInput
from training.lungs import classical, shape
from training.lungs.fit import fit, predict
from training.lungs.network import MASK_PX, LungNetwork
from training.lungs.shape import Mask
from training.progress import Progress, StageProgress, stage

SURE_LIKENESS, SURE_EDGE = 0.83, 0.88
"""From which a classical mask is an example."""
AGREED = 0.98
"""Agreement between image and mirror image from which a network's mask is one."""


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
    probability, _ = predict(network, pixels, stage(progress, "lung masks"))
    return np.asarray((probability * 255).round(), dtype=np.uint8)


def learn(
    pixels: NDArray[np.uint8], clear: NDArray[np.bool_], *, steps: int, seed: int, progress: StageProgress
) -> LungNetwork:
    """A network that finds the lungs of images like these, uint8 (N, H, W).

    Args:
        clear: images (N,) without pneumonia, among which sure lungs are looked for: a consolidated lung has no edge.
        steps: batches from which each of the two networks learns.

    Raises:
        InvalidInput: no image has lungs that are found without doubt.
    """
    masks = sure(pixels, clear, stage(progress, "sure lungs"))
    known = masks.any((1, 2))
    if not known.any():
        raise InvalidInput("No lungs were found without doubt on any of these images, so no network can learn them.")
    network = fit(pixels[known], masks[known], steps=steps, seed=seed, progress=stage(progress, "lungs, round 1"))
    said, agreement = predict(network, pixels, stage(progress, "lungs, agreement"))
    for number in np.flatnonzero(~known & (agreement >= AGREED)):
        masks[number] = plausible(said[number])
    known = masks.any((1, 2))
    return fit(pixels[known], masks[known], steps=steps, seed=seed + 1, progress=stage(progress, "lungs, round 2"))


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


def plausible(probability: NDArray[np.float32]) -> Mask:
    """float32 (MASK_PX, MASK_PX) -> bool (112, 112): the two largest regions if they may be lungs, else nothing."""
    fine = ndimage.zoom(probability, classical.SIDE_PX / MASK_PX, order=1, grid_mode=True, mode="nearest")
    numbered, count = ndimage.label(ndimage.binary_fill_holes(fine > 0.5))
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    largest = np.argsort(sizes)[::-1][:2]
    regions = [numbered == number + 1 for number in largest if sizes[number] > classical.MIN_AREA * numbered.size]
    regions.sort(key=lambda region: shape.place(region).left)
    if len(regions) == 2 and shape.are_pair(shape.place(regions[0]), shape.place(regions[1])):
        return np.asarray(regions[0] | regions[1])
    return np.zeros_like(fine, dtype=np.bool_)


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
