"""Every value as a person reads it: numbers, times, states, decisions. No Flask here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from core.kinds import ImageKind, View
from core.plural import counted
from core.populations import Population, PopulationBy
from db.progress import Progress
from db.states import Decision, ImageState, JobState, Opinion, Priority
from db.tables import Image, Prediction
from services import filenames
from web.quantities import amount, others_are_screened, was_were

CLOSE_CALL = 0.05
"""Probabilities this near the operating point are called close: a small change of the image could turn them."""

DECISION_WORDS = {
    Decision.PNEUMONIA: "Pneumonia suspected",
    Decision.NORMAL: "Pneumonia not suspected",
    Decision.REFUSED: "Not judged",
}

VIEW_WORDS = {View.PA: "PA", View.AP: "AP", View.LATERAL: "lateral"}

KIND_WORDS = {
    ImageKind.FRONTAL: "Frontal chest X-ray",
    ImageKind.LATERAL: "Lateral chest X-ray",
    ImageKind.TURNED_LEFT: "Chest X-ray on its side, the head to the left",
    ImageKind.TURNED_RIGHT: "Chest X-ray on its side, the head to the right",
    ImageKind.UPSIDE_DOWN: "Chest X-ray upside down",
    ImageKind.NEGATIVE: "Negative",
    ImageKind.SEVERAL: "Several films in one picture",
    ImageKind.PART: "A part of a chest",
    ImageKind.OTHER: "No frontal chest X-ray",
}

POPULATION_WORDS = {Population.CHILD: "a child", Population.ADULT: "an adult"}

POPULATION_BY_WORDS = {
    PopulationBy.AGE: "by the patient's age",
    PopulationBy.NETWORK: "by the network",
    PopulationBy.CHOSEN: "chosen for the job",
}

STATE_WORDS = {
    ImageState.QUEUED: "Queued",
    ImageState.RUNNING: "Running",
    ImageState.DONE: "Done",
    ImageState.FAILED: "Failed",
    ImageState.CANCELLED: "Cancelled",
    JobState.INCOMPLETE: "Incomplete",
    JobState.EMPTY: "No images",
}

OPINION_WORDS = {Opinion.AGREE: "Agree", Opinion.DISAGREE: "Disagree", Opinion.UNSURE: "Unsure"}

PRIORITY_WORDS = {Priority.INTERACTIVE: "at once", Priority.BULK: "in the background"}


def percent(fraction: float) -> str:
    """0.8731 -> '87.3 %'. Never '0.0' or '100.0': no network is that sure."""
    if fraction < 0.001:
        return "< 0.1\u00a0%"
    if fraction > 0.999:
        return "> 99.9\u00a0%"
    return f"{fraction * 100:.1f}\u00a0%"


def size(size_bytes: int) -> str:
    """1234567 -> '1.2 MB'."""
    if size_bytes < 1000:
        return f"{size_bytes}\u00a0bytes"
    value, unit = (size_bytes / 1e6, "MB") if size_bytes >= 1e6 else (size_bytes / 1e3, "kB")
    return f"{value:.1f}".removesuffix(".0") + f"\u00a0{unit}"


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day_and_time(moment: datetime) -> str:
    """'23 Nov 2026, 14:50', in UTC; the page says so beside it."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M}"


def to_the_second(moment: datetime) -> str:
    """'2026-11-23 14:50:07', in UTC: for lists in which the order within a minute counts."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def short_hash(sha256: str) -> str:
    return sha256[:12]


def kind_of_file(media_type: str) -> str:
    return media_type.removeprefix("image/").upper()


def prediction(image: Image) -> Prediction | None:
    """The prediction of an image that pages show."""
    return image.primary_prediction


def near_cut_off(prediction: Prediction) -> bool:
    """Whether a small change of the image could turn the decision."""
    judged = prediction.decision != Decision.REFUSED
    return judged and abs(prediction.probability - prediction.threshold) < CLOSE_CALL


def progress_words(progress: Progress) -> str:
    """'412 of 1,000 images finished, 3 failed'; while files are missing, how many were received."""
    came = progress.arrival
    if came.missing:
        received = f"{progress.total + came.rejected:,} of {counted(came.expected or 0, 'file')} received"
        return f"{received}, {counted(progress.finished, 'image')} finished"
    if not progress.total:
        return "No images"
    words = f"{progress.finished:,} of {counted(progress.total, 'image')} finished"
    failed, cancelled = progress.counts[ImageState.FAILED], progress.counts[ImageState.CANCELLED]
    words += f", {failed:,} failed" if failed else ""
    return words + (f", {cancelled:,} cancelled" if cancelled else "")


def strip_parts(progress: Progress) -> list[dict[str, str | float]]:
    """The parts of the progress strip, one for each state: where it starts and how wide it is, in percent.

    The whole includes files that were declared and have not come, so their strip is not full.
    """
    whole = progress.total + progress.arrival.missing
    parts: list[dict[str, str | float]] = []
    start = 0.0
    for state in (ImageState.DONE, ImageState.FAILED, ImageState.CANCELLED, ImageState.RUNNING):
        width = 100 * progress.counts[state] / max(1, whole)
        if width:
            parts.append({"state": state.value, "from": round(start, 3), "width": round(width, 3)})
        start += width
    return parts


def _word(table: Mapping[Any, str]) -> Callable[[str], str]:
    return lambda key: table[key]


FILTERS: dict[str, Callable[..., Any]] = {
    "amount": amount,
    "counted": counted,
    "others_are_screened": others_are_screened,
    "was_were": was_were,
    "bytes": size,
    "day_and_time": day_and_time,
    "decision_word": _word(DECISION_WORDS),
    "file_name": filenames.shown,
    "iso": iso,
    "kind_of_file": kind_of_file,
    "near_cut_off": near_cut_off,
    "opinion_word": _word(OPINION_WORDS),
    "percent": percent,
    "population_word": _word(POPULATION_WORDS),
    "prediction": prediction,
    "priority_word": _word(PRIORITY_WORDS),
    "progress_words": progress_words,
    "short_hash": short_hash,
    "state_word": _word(STATE_WORDS),
    "strip_parts": strip_parts,
    "to_the_second": to_the_second,
}
