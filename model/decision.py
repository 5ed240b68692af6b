"""What a model says of images, and the decision that follows from it. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REFUSED_REASON = (
    "The image is too unlike the frontal chest X-rays the model was made from "
    "(its score is {score:.2f}, the limit {limit:.2f}), so the model can't judge it."
)


@dataclass(frozen=True, slots=True)
class Result:
    """Of one image. `domain_score` is None when the model cannot tell how unlike its training images it is."""

    probability: float
    domain_score: float | None
    cam: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Results:
    """Of a batch of N images, from one forward pass.

    Attributes:
        probability: float32 (N,), of pneumonia, calibrated, 0 to 1.
        domain_score: float32 (N,), how unlike the training images, about 0 for a typical one; NaN throughout when
            the model carries no statistics of them.
        cam: float16 (N, 7, 7), the class activation map: the logit that each cell of the last feature map speaks
            for. Its mean is the image's own logit.
    """

    probability: NDArray[np.float32]
    domain_score: NDArray[np.float32]
    cam: NDArray[np.float16]

    def __iter__(self) -> Iterator[Result]:
        for probability, score, cam in zip(self.probability, self.domain_score, self.cam, strict=True):
            yield Result(float(probability), None if math.isnan(score) else float(score), cam)


@dataclass(frozen=True, slots=True)
class Decided:
    """`decision` is normal, pneumonia or refused; `reason` is a sentence, and only of a refusal."""

    decision: str
    reason: str | None = None


def joined(parts: Sequence[Results]) -> Results:
    """Batches as one; there must be one at least."""
    return Results(
        np.concatenate([its.probability for its in parts]),
        np.concatenate([its.domain_score for its in parts]),
        np.concatenate([its.cam for its in parts]),
    )


def decide(result: Result, threshold: float, domain_limit: float | None) -> Decided:
    """`refused` above the domain limit; else `pneumonia` at or above the threshold, else `normal`.

    A model without a limit (made before there was one) cannot refuse.
    """
    if domain_limit is not None and result.domain_score is not None and result.domain_score > domain_limit:
        return Decided("refused", REFUSED_REASON.format(score=result.domain_score, limit=domain_limit))
    return Decided("pneumonia" if result.probability >= threshold else "normal")
