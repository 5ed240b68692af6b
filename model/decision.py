"""What a model says of images, and the decision that follows from it. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REFUSED_REASON = (
    "The image is too unlike the frontal chest X-rays the model was made from "
    "(its score is {score:.2f}, the limit {limit:.2f}), so the model can't judge it."
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of one image. `ood_score` is None when the model cannot tell how unlike its training images it is."""

    probability: float
    ood_score: float | None
    cam: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Of a batch of N images, from one forward pass.

    Attributes:
        probability: float32 (N,), of pneumonia, calibrated, 0 to 1.
        ood_score: float32 (N,), how unlike the training images, about 0 for a typical one; NaN throughout when
            the model carries no statistics of them.
        cam: float16 (N, 7, 7), the class activation map: the logit that each cell of the last feature map speaks
            for. Its mean is the image's own logit.
    """

    probability: NDArray[np.float32]
    ood_score: NDArray[np.float32]
    cam: NDArray[np.float16]

    def __iter__(self) -> Iterator[Prediction]:
        for probability, score, cam in zip(self.probability, self.ood_score, self.cam, strict=True):
            yield Prediction(float(probability), None if math.isnan(score) else float(score), cam)


@dataclass(frozen=True, slots=True)
class Decided:
    """`decision` is normal, pneumonia or refused; `reason` is a sentence, and only of a refusal."""

    decision: str
    reason: str | None = None


def decide(prediction: Prediction, threshold: float, ood_limit: float | None) -> Decided:
    """`refused` above the ood limit; else `pneumonia` at or above the threshold, else `normal`.

    A model without a limit (made before there was one) cannot refuse.
    """
    score = prediction.ood_score
    if ood_limit is not None and score is not None and score > ood_limit:
        return Decided("refused", REFUSED_REASON.format(score=score, limit=ood_limit))
    return Decided("pneumonia" if prediction.probability >= threshold else "normal")
