"""A prediction in words: the decision, how near the cut-off it was, and what the probability means. No Flask here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.kinds import ImageKind
from db.states import Decision, ImageState
from db.tables import Image, Prediction
from web.pages.words import (
    DECISION_WORDS,
    KIND_WORDS,
    POPULATION_BY_WORDS,
    POPULATION_WORDS,
    VIEW_WORDS,
    near_cut_off,
    percent,
)

ADVICE = {
    "corrupt_image": "Export the image anew from where it came and send it again: a retry of the same file won't help.",
    "unsupported_type": "Save the image as JPEG or PNG and send it again.",
    "empty_file": "Export the image anew and send it again.",
    "too_large": "Save a smaller version of the image and send it again.",
    "too_many_pixels": "Scale the image down and send it again.",
    "model_invalid": "Nothing is wrong with the image. The operator has to put the model right; then retry it.",
    "blob_missing": "The operator has to restore the image storage; then retry it, or send it again.",
    "storage_unavailable": "Nothing is wrong with the image. Once the storage works again, retry it.",
    "out_of_memory": "The worker had too little memory. The operator can lower the batch size; then retry it.",
    "attempts_exhausted": "Retry it. If it fails again, tell the operator the number of this image.",
}
UNKNOWN_ADVICE = "Retry it. If it fails again, tell the operator the number of this image and the code below."


@dataclass(frozen=True, slots=True)
class PredictionView:
    """Numbers ending in `_percent` are places on the gauge, from its left end."""

    title: str
    sentence: str
    meaning: str
    limits: Sequence[str]
    refused: bool
    close: bool
    kind_words: str
    population_words: str
    gauge_words: str
    probability_percent: float
    threshold_percent: float
    label_percent: float
    label_anchor: str


@dataclass(frozen=True, slots=True)
class Absence:
    """Why there is no prediction, and what to do."""

    title: str
    sentence: str = ""
    advice: str = ""


def describe(prediction: Prediction) -> PredictionView:
    threshold_percent = round(100 * prediction.threshold, 2)
    anchor = "start" if prediction.threshold < 0.3 else "end" if prediction.threshold > 0.7 else "middle"
    return PredictionView(
        title=DECISION_WORDS[prediction.decision],
        sentence=_sentence(prediction),
        meaning=_meaning(prediction.probability, prediction.model.card),
        limits=[str(limit) for limit in prediction.model.card.get("limits", ())],
        refused=prediction.decision is Decision.REFUSED,
        close=near_cut_off(prediction),
        kind_words=_kind_words(prediction),
        population_words=_population_words(prediction),
        gauge_words=f"Probability {percent(prediction.probability)}, cut-off {percent(prediction.threshold)}",
        probability_percent=round(100 * prediction.probability, 2),
        threshold_percent=threshold_percent,
        label_percent=threshold_percent,
        label_anchor=anchor,
    )


def _sentence(prediction: Prediction) -> str:
    if prediction.decision is Decision.REFUSED:
        return prediction.reason or "The model doesn't judge this image: it is unlike the X-rays it was made for."
    if near_cut_off(prediction):
        side = "at or just above" if prediction.decision is Decision.PNEUMONIA else "just below"
        return f"A close call: {side} the model's cut-off. Treat it as undecided."
    if prediction.decision is Decision.PNEUMONIA:
        return "Above the model's cut-off: read this one early."
    return "Below the model's cut-off. This says nothing about other findings."


def _kind_words(prediction: Prediction) -> str:
    """What the image shows, and how near that is to what the model knows; of older models the latter alone."""
    if prediction.kind is None:
        return _ood_words(prediction)
    if prediction.kind is not ImageKind.FRONTAL:
        return KIND_WORDS[prediction.kind]
    view = "" if prediction.view is None else f", {VIEW_WORDS[prediction.view]}"
    likeness = "" if prediction.ood_score is None else f". {_ood_words(prediction)}"
    return f"{KIND_WORDS[prediction.kind]}{view}{likeness}"


def _population_words(prediction: Prediction) -> str:
    """As whose it was judged, and how that was known; nothing of a model that judges all images alike."""
    if prediction.population is None or prediction.population_by is None:
        return ""
    return f"{POPULATION_WORDS[prediction.population]} ({POPULATION_BY_WORDS[prediction.population_by]})"


def _ood_words(prediction: Prediction) -> str:
    """How unlike the training images the image is; some older models cannot tell."""
    if prediction.ood_score is None or prediction.ood_limit is None:
        return "This model can't tell"
    side = "Unlike" if prediction.ood_score > prediction.ood_limit else "Like"
    return f"{side} the training images (score {prediction.ood_score:.2f}, limit {prediction.ood_limit:.2f})"


def _meaning(probability: float, card: dict[str, Any]) -> str:
    """What the probability means, as far as the model's card says."""
    prior = card.get("calibration", {}).get("prior")
    if prior is None:
        return "The model's own estimate, fitted to the images it was trained on. Among other patients it may be off."
    about = min(99, max(1, round(100 * probability)))
    return (
        f"Among patients like those of the training data, if {round(100 * prior)} in 100 of them had pneumonia, about "
        f"{about} of 100 images with this score would show it. Where pneumonia is rarer, fewer would."
    )


def absence(image: Image, *, someone_works: bool) -> Absence:
    """Why an image has no prediction. Not used for one that has a prediction."""
    if image.state is ImageState.FAILED:
        return Absence(
            "Not screened: it failed",
            image.error_message or "No reason was recorded.",
            ADVICE.get(image.error_code or "", UNKNOWN_ADVICE),
        )
    if image.state is ImageState.CANCELLED:
        return Absence("Not screened: cancelled", "Its job was cancelled before its turn.", "To screen it, retry it.")
    if image.state is ImageState.RUNNING:
        return Absence("Being screened", "The result appears here by itself.")
    if not someone_works:
        return Absence("Waiting for a worker", "No worker is running. The image is kept and screened when one starts.")
    return Absence("Waiting its turn", "The result appears here by itself.")
