"""A model's card in plain words. A card may be of another version or another maker: what it lacks is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.plural import counted
from core.populations import CHILD_BELOW_YEARS
from web.pages.words import percent

Card = Mapping[str, Any]

FIGURES = {
    "accuracy": "Right answers",
    "sensitivity": "Pneumonias found (sensitivity)",
    "specificity": "Normals left alone (specificity)",
    "auc": "Area under the ROC curve",
    "calibration_error": "Calibration error",
    "brier": "Brier score",
}
SHARES = {"accuracy", "sensitivity", "specificity"}
"""Figures that are shares of images, and so are shown in percent."""

PARTS = {
    "site": "On the site's own images",
    "test": "On children that it was not trained on",
    "out_of_fold": "In cross-validation, as the images are",
    "out_of_fold_copies": "In cross-validation, on distorted copies",
    "out_of_fold_reframed": "In cross-validation, on turned or cropped copies",
    "out_of_fold_crossed": "In cross-validation, on copies in the other class's style",
}
POPULATIONS = {"child": f"Children under {CHILD_BELOW_YEARS} years", "adult": "Adults"}
APART = (
    "Children and adults are judged apart, each with a calibration and a cut-off of its own: by what was chosen for "
    "the job, else by the patient's age where it is known, and else by what the network tells."
)
MIXED = {"test": "On children and adults that it was not trained on"}
"""The title for a model that knows both."""
CANNOT_TELL = "This model cannot tell whether an image is a chest X-ray at all: it judges whatever it is given."


@dataclass(frozen=True, slots=True)
class Measured:
    """One table of figures: (what, figure, 95 % interval or nothing)."""

    title: str
    rows: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class PopulationWords:
    """One population: how many images the model was trained on, its cut-off, and (what, figure) measured on images that
    `measured_on` tells.
    """

    title: str
    trained_on: str
    cut_off: str
    measured_on: str
    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class CardWords:
    purpose: str
    limits: Sequence[str]
    trained_on: str
    split: str
    operating_point: str
    rule: str
    calibration: str
    populations: Sequence[PopulationWords]
    told: Sequence[tuple[str, str]]
    ood: str
    ood_rule: str
    refused: Sequence[tuple[str, str]]
    gate: str
    gate_refused: Sequence[tuple[str, str]]
    site: str
    measured: Sequence[Measured]


def describe(card: Card) -> CardWords:
    point, gate = _part(card, "operating_point"), _part(card, "gate")
    populations = _populations(_part(card, "populations"), _part(card, "metrics"))
    ood = _part(card, "domain")  # the card's own name for it
    return CardWords(
        purpose=_text(card.get("intended_use")),
        limits=[_text(limit) for limit in _list(card.get("limits"))],
        trained_on=_trained_on(_part(card, "training_data")),
        split=", ".join(f"{count} {name}" for name, count in _part(card, "split").items()),
        operating_point=APART if populations else _operating_point(point),
        rule=_text((_part(card, "populations") if populations else point).get("rule")),
        calibration=_calibration(_part(card, "calibration")),
        populations=populations,
        told=_shares(_part(_part(card, "populations"), "told")),
        ood=_ood(ood, gate),
        ood_rule=_text(ood.get("rule")),
        refused=_refused(ood),
        gate=_gate(gate),
        gate_refused=_refused(gate),
        site=_site(_part(card, "site")),
        measured=_measured(_part(card, "metrics"), PARTS | MIXED if populations else PARTS),
    )


def _trained_on(data: Card) -> str:
    sentences = [f"{_text(data['source'])}."] if data.get("source") else []
    if _is_number(data.get("images")):
        patients = f" of {counted(data['patients'], 'patient')}" if _is_number(data.get("patients")) else ""
        ill = f", {data['pneumonia']:,} of them with pneumonia" if _is_number(data.get("pneumonia")) else ""
        sentences.append(f"{counted(data['images'], 'image')}{patients}{ill}.")
    if data.get("licence"):
        sentences.append(f"Licence: {_text(data['licence'])}.")
    return " ".join(sentences)


def _operating_point(point: Card) -> str:
    threshold = point.get("threshold")
    if not _is_number(threshold):
        return ""
    return f"An image whose probability is {percent(float(threshold))} or more is called pneumonia."


def _calibration(calibration: Card) -> str:
    prior = calibration.get("prior")
    if not _is_number(prior):
        return ""
    return (
        f"The probability is fitted to patients of whom {round(100 * prior)} in 100 have pneumonia. "
        "Where pneumonia is rarer, fewer of the images called pneumonia show it."
    )


def _populations(section: Card, metrics: Card) -> list[PopulationWords]:
    """Each population, with the figures of its images in the test part or, where the card has none, out of fold."""
    tested = _part(_part(_part(metrics, "groups"), "test"), "population")
    words = []
    for name, title in POPULATIONS.items():
        point = _part(section, name)
        threshold, images, ill = point.get("threshold"), point.get("images"), point.get("pneumonia")
        if not _is_number(threshold):
            continue
        trained = (
            f"Trained on {counted(int(images), 'image')}, {int(ill):,} of them with pneumonia."
            if _is_number(images) and _is_number(ill)
            else ""
        )
        figures = _part(tested, name) or _part(_part(point, "measured"), "figures")
        measured_on = "Measured in cross-validation:"
        if tested.get(name):
            measured_on = f"Measured on {counted(_images(figures), 'image')} that it was not trained on:"
        rows = [_row(figures, key, of_key)[:2] for key, of_key in FIGURES.items() if _is_number(figures.get(key))]
        cut_off = f"Called pneumonia from {percent(float(threshold))} on."
        words.append(PopulationWords(title, trained, cut_off, measured_on, rows))
    return words


def _images(figures: Card) -> int:
    return sum(int(figures[name]) for name in ("normal", "pneumonia") if _is_number(figures.get(name)))


def _ood(ood: Card, gate: Card) -> str:
    """How the model tells that an image is unlike its training images."""
    if not _is_number(ood.get("limit")):
        return "" if _gate(gate) else CANNOT_TELL
    return (
        "Each image gets a score of how unlike the training images it is, about 0 for a typical one. "
        f"Above {ood['limit']:g} it is not judged."
    )


def _gate(gate: Card) -> str:
    if not _is_number(gate.get("limit")):
        return ""
    return (
        "It tells upright frontal chest X-rays from lateral views, from films that are turned, inverted, cut off or "
        "several in one picture, and from all else. What is not frontal with a probability above "
        f"{percent(float(gate['limit']))} is not judged. {_text(gate.get('rule'))}"
    ).strip()


def _refused(section: Card) -> list[tuple[str, str]]:
    return _shares(_part(section, "refused"))


def _shares(shares: Card) -> list[tuple[str, str]]:
    return [(name, _share(share)) for name, share in shares.items() if _is_number(share)]


def _site(site: Card) -> str:
    if not _is_number(site.get("images")):
        return ""
    parent = f"{_text(site.get('parent_name'))} ({_text(site.get('parent_sha256'))[:12]})"
    images = counted(site["images"], "image")
    return f"Its cut-off (operating point) was set on {images} of a site, starting from {parent}."


def _measured(metrics: Card, parts: Mapping[str, str]) -> list[Measured]:
    tables = []
    for key, title in parts.items():
        figures = _part(metrics, key)
        rows = [_row(figures, name, words) for name, words in FIGURES.items() if _is_number(figures.get(name))]
        if rows:
            images = figures.get("images")
            tables.append(Measured(f"{title}, {counted(int(images), 'image')}" if _is_number(images) else title, rows))
    return tables


def _row(figures: Card, name: str, words: str) -> tuple[str, str, str]:
    interval = _list(_part(figures, "intervals").get(name))
    bounds = interval if len(interval) == 2 and all(map(_is_number, interval)) else ()
    show = _share if name in SHARES else _decimal
    return words, show(figures[name]), " to ".join(show(bound) for bound in bounds)


def _share(value: float) -> str:
    return f"{100 * value:.1f}\u00a0%"


def _decimal(value: float) -> str:
    return f"{value:.3f}"


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _part(card: Card, key: str) -> Card:
    part = card.get(key)
    return part if isinstance(part, Mapping) else {}


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
