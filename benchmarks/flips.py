"""What changes in a model's answers when the same radiograph comes as another file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENT = 0.25
"""A decision is confident if the probability of the image as it is lies further than this from the threshold."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """Of n images: probability (n,) of pneumonia, and whether each was refused (n,)."""

    probabilities: Floats
    refused: Bools

    def select(self, members: Bools) -> Answers:
        return Answers(self.probabilities[members], self.refused[members])


@dataclass(frozen=True)
class VariantFigures:
    """Of one variant of n images; None where no image is left to tell.

    Attributes:
        refused: share of images that are refused.
        sensitivity: share of the pneumonias judged that are called so; `specificity` likewise of normals.
        both_judged: images that are judged as they are and as the variant; what follows is of them.
        flips: images that get the other decision.
        confident: images whose decision is confident as they are, and `confident_flips` of them.
        mean_change: mean absolute change of probability.
    """

    images: int
    refused: float
    sensitivity: float | None
    specificity: float | None
    both_judged: int
    flips: int
    confident: int
    confident_flips: int
    mean_change: float | None


def measure(plain: Answers, variant: Answers, labels: Sequence[int], threshold: float) -> VariantFigures:
    """Compare n images, 1 or more, as they are and as a variant; `labels` (n,) are 1 for pneumonia."""
    sick = np.array(labels) == 1
    called, judged = variant.probabilities >= threshold, ~variant.refused
    both = judged & ~plain.refused
    flipped = both & (called != (plain.probabilities >= threshold))
    confident = both & (np.abs(plain.probabilities - threshold) > CONFIDENT)
    change = np.abs(variant.probabilities - plain.probabilities)
    return VariantFigures(
        images=len(sick),
        refused=float(variant.refused.mean()),
        sensitivity=_share(called, judged & sick),
        specificity=_share(~called, judged & ~sick),
        both_judged=int(both.sum()),
        flips=int(flipped.sum()),
        confident=int(confident.sum()),
        confident_flips=int((flipped & confident).sum()),
        mean_change=float(change[both].mean()) if both.any() else None,
    )


def _share(true: Bools, members: Bools) -> float | None:
    return float(true[members].mean()) if members.any() else None
