"""What a model says of images, and the decision that follows from it. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from core.kinds import ImageKind, View
from model.card import GateLimits
from model.gate import FRONTAL, KINDS
from model.population import JudgedAs

REFUSED = "refused"

REFUSED_REASON = (
    "The image is too unlike the frontal chest X-rays the model was made from "
    "(its score is {score:.2f}, the limit {limit:.2f}), so the model can't judge it."
)
NOT_FRONTAL_REASON = "The image does not look like one upright frontal chest X-ray, so the model can't judge it."
LOOKS_LIKE = {
    ImageKind.LATERAL: "a lateral view",
    ImageKind.TURNED_LEFT: "a chest X-ray that is turned on its side, the head to the left",
    ImageKind.TURNED_RIGHT: "a chest X-ray that is turned on its side, the head to the right",
    ImageKind.UPSIDE_DOWN: "a chest X-ray that is upside down",
    ImageKind.NEGATIVE: "a negative",
    ImageKind.SEVERAL: "several films in one picture",
    ImageKind.PART: "a picture that shows only a part of the chest",
}
KIND_REASON = "It looks like {what}. The model judges upright frontal chest X-rays alone, one to a picture."
NAMED = 0.5
"""Share that one kind must have of all that is not frontal, so that the reason names it."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Of one image. `ood_score` is None when the model cannot tell how unlike its training images it is.

    `kinds` holds the probability of each of `model.gate.KINDS`, `ap` that of AP rather than PA if it is a frontal one;
    both are None when the model has no gate. `judged_as` is None when the model judges all images alike.
    """

    probability: float
    ood_score: float | None
    cam: NDArray[np.float16]
    kinds: NDArray[np.float32] | None = None
    ap: float | None = None
    judged_as: JudgedAs | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """Of a batch of N images, from one forward pass.

    Attributes:
        probability: float32 (N,), of pneumonia, calibrated, 0 to 1.
        ood_score: float32 (N,), how unlike the training images, about 0 for a typical one; NaN throughout when
            the model carries no statistics of them.
        cam: float16 (N, 7, 7), the class activation map: the logit that each cell of the last feature map speaks
            for. Its mean is the image's own logit.
        kinds: float32 (N, len(KINDS)), the probability of each kind of image; None when the model has no gate.
        ap: float32 (N,), the probability of AP rather than PA; None when the model has no gate.
        judged_as: of each image the population, whose calibration `probability` and `cam` are on; None when the model
            judges all images alike.
    """

    probability: NDArray[np.float32]
    ood_score: NDArray[np.float32]
    cam: NDArray[np.float16]
    kinds: NDArray[np.float32] | None = None
    ap: NDArray[np.float32] | None = None
    judged_as: Sequence[JudgedAs] | None = None

    def __iter__(self) -> Iterator[Prediction]:
        kinds = repeat(None) if self.kinds is None else iter(self.kinds)
        views = repeat(None) if self.ap is None else map(float, self.ap)
        populations = repeat(None) if self.judged_as is None else iter(self.judged_as)
        scored = zip(self.probability, self.ood_score, self.cam, strict=True)
        for (probability, score, cam), kind, ap, judged_as in zip(scored, kinds, views, populations, strict=False):
            score = None if math.isnan(score) else float(score)
            yield Prediction(float(probability), score, cam, kind, ap, judged_as)

    def thresholds(self, common: float) -> NDArray[np.float64]:
        """The operating point (N,) of each image, which is `common` where the model judges all images alike."""
        if self.judged_as is None:
            return np.full(len(self.probability), common)
        return np.array([judged_as.threshold for judged_as in self.judged_as])


@dataclass(frozen=True, slots=True)
class Decided:
    """`decision` is normal, pneumonia or refused; `reason` is a sentence, and only of a refusal.

    `kind` is what the image shows, and `view` how it was taken; None where the model cannot tell.
    """

    decision: str
    reason: str | None = None
    kind: ImageKind | None = None
    view: View | None = None


def decide(
    prediction: Prediction, threshold: float, ood_limit: float | None, gate: GateLimits | None = None
) -> Decided:
    """`refused` above the ood limit or by the gate; else `pneumonia` at or above the threshold, else `normal`.

    A model with neither (made before there was one) cannot refuse.
    """
    score, kinds = prediction.ood_score, prediction.kinds
    if gate is not None and kinds is not None and 1 - kinds[FRONTAL] > gate.limit:
        return _not_frontal(kinds)
    kind = None if gate is None or kinds is None else ImageKind.FRONTAL
    if ood_limit is not None and score is not None and score > ood_limit:
        return Decided(REFUSED, REFUSED_REASON.format(score=score, limit=ood_limit), kind)
    decision = "pneumonia" if prediction.probability >= threshold else "normal"
    return Decided(decision, None, kind, _view(prediction.ap, gate))


def _not_frontal(kinds: NDArray[np.float32]) -> Decided:
    """Refused by the gate: the reason names the likeliest kind where that is likelier than all others together."""
    others = kinds.copy()
    others[FRONTAL] = 0
    kind = KINDS[int(others.argmax())]
    if kind not in LOOKS_LIKE or others.max() < NAMED * others.sum():
        return Decided(REFUSED, NOT_FRONTAL_REASON, ImageKind.OTHER)
    view = View.LATERAL if kind is ImageKind.LATERAL else None
    return Decided(REFUSED, KIND_REASON.format(what=LOOKS_LIKE[kind]), kind, view)


def _view(ap: float | None, gate: GateLimits | None) -> View | None:
    if gate is None or ap is None:
        return None
    if ap >= gate.ap:
        return View.AP
    return View.PA if ap <= gate.pa else None
