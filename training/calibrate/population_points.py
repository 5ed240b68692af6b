"""Calibration and operating point of each population, from predictions of networks that never saw the patient.

A network that learned from children and adults alike may be surer of one than of the other: each gets a Platt scaling
of its own, on top of the one that is folded into the weights, and a threshold of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from core.populations import Population
from model.card import Calibration, OperatingPoint, PopulationFigures, PopulationGain, PopulationPoint
from training.calibrate.operating_point import choose_threshold
from training.calibrate.platt import UNCHANGED, calibrated, fit_platt
from training.evaluate import bootstrap, figures

MIN_IMAGES = 200
"""Of a population: with fewer, a calibration of its own is no better than that of all images."""
RULE = (
    "Platt scaling and operating point of each population were fitted as those of all images were, to its own "
    f"out-of-fold predictions; a population needs {MIN_IMAGES} images. Where that was worse on the validation part, "
    "fitted without it, than what holds for all images, the latter stayed."
)

Points = Mapping[Population, PopulationPoint]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scores:
    """Out-of-fold logits (views, n), on the scale that is calibrated for all images, and what is known of each image:
    label, patient, and whether it belongs to the validation part (n,).
    """

    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    patients: NDArray[np.str_]
    validation: NDArray[np.bool_]

    def select(self, members: NDArray[np.bool_]) -> Scores:
        return Scores(self.logits[:, members], self.labels[members], self.patients[members], self.validation[members])


@dataclass(frozen=True)
class Scale:
    """How logits become a decision."""

    line: Calibration
    threshold: float

    @classmethod
    def fit(cls, scores: Scores, sensitivity: float | None) -> Scale:
        line = fit_platt(scores.logits, scores.labels)
        return cls(line, choose_threshold(calibrated(line, scores.logits), scores.labels, sensitivity).threshold)

    def probabilities(self, scores: Scores) -> NDArray[np.float64]:
        """Of the images as they are, (n,)."""
        return calibrated(self.line, scores.logits[0])

    def called(self, scores: Scores) -> NDArray[np.bool_]:
        return self.probabilities(scores) >= self.threshold


def fit(
    scores: Scores, populations: NDArray[np.str_], common: OperatingPoint, sensitivity: float | None = None
) -> Points:
    """The point of each population, whose name `populations` (n,) has for each image; empty where nobody knows it.

    Nothing is fitted, and the result is empty, where all images are of one population, or where one has too few images,
    or in the training or the validation part images of one class alone. `common` is the operating point of all images,
    and `sensitivity` what that was asked for.
    """
    members = {population: populations == population for population in Population}
    if not all(of_population.any() for of_population in members.values()):
        return {}
    for population, of_population in members.items():
        if not _enough(part := scores.select(of_population)):
            log.warning(
                "No operating point by population: %d images of the population %s, %d of them with pneumonia, are too "
                "few (it takes %d, and both classes in the training and the validation part).",
                len(part.labels), population, part.labels.sum(), MIN_IMAGES,
            )  # fmt: skip
            return {}
    shared = Scale(UNCHANGED, common.threshold)
    return {
        population: _point(population, scores.select(of_population), shared, sensitivity)
        for population, of_population in members.items()
    }


def applied(
    scores: Scores, populations: NDArray[np.str_], common: OperatingPoint, points: Points
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities (views, n) and thresholds (n,), those of its population for each image of which that is known."""
    probabilities = calibrated(UNCHANGED, scores.logits)
    thresholds = np.full(len(scores.labels), common.threshold)
    for population, point in points.items():
        members = populations == population
        probabilities[:, members] = calibrated(UNCHANGED, point.slope * scores.logits[:, members] + point.intercept)
        thresholds[members] = point.threshold
    return probabilities, thresholds


def _enough(scores: Scores) -> bool:
    parts = scores.labels[scores.validation], scores.labels[~scores.validation]
    return len(scores.labels) >= MIN_IMAGES and all(len(np.unique(labels)) == 2 for labels in parts)


def _point(population: Population, scores: Scores, shared: Scale, sensitivity: float | None) -> PopulationPoint:
    own = Scale.fit(scores, sensitivity)
    gain, interval = _gain(scores, shared, sensitivity)
    # A sensitivity that was asked for has its price in balanced accuracy, which then decides nothing.
    useful = own.line.slope > 0 and (sensitivity is not None or interval[1] >= 0)
    if not useful:
        log.warning("The population %s keeps the operating point of all images: its own is no better.", population)
    scale = own if useful else shared
    return PopulationPoint(
        slope=scale.line.slope,
        intercept=scale.line.intercept,
        threshold=scale.threshold,
        own=useful,
        images=len(scores.labels),
        patients=len(set(scores.patients.tolist())),
        pneumonia=int(scores.labels.sum()),
        measured=PopulationGain(
            figures=_figures(scores, scale), common=_figures(scores, shared), gain=gain, interval=interval
        ),
    )


def _gain(scores: Scores, shared: Scale, sensitivity: float | None) -> tuple[float, tuple[float, float]]:
    """Balanced accuracy on the validation part, fitted on the training part alone, minus that of `shared`; paired over
    patients.
    """
    learned, held = scores.select(~scores.validation), scores.select(scores.validation)
    own = Scale.fit(learned, sensitivity)
    called = np.stack([own.called(held), shared.called(held)], axis=1)
    drawn = bootstrap.intervals({"gain": _difference}, held.labels, called, held.patients)
    return _difference(held.labels, called), drawn["gain"]


def _difference(labels: NDArray[np.int64], called: NDArray[np.bool_]) -> float:
    """Balanced accuracy of the first column of decisions (n, 2) minus that of the second."""
    own, shared = (
        (figures.sensitivity(labels, column) + figures.specificity(labels, column)) / 2 for column in called.T
    )
    return own - shared


def _figures(scores: Scores, scale: Scale) -> PopulationFigures:
    probabilities, called = scale.probabilities(scores), scale.called(scores)
    return PopulationFigures(
        sensitivity=figures.sensitivity(scores.labels, called),
        specificity=figures.specificity(scores.labels, called),
        auc=float(roc_auc_score(scores.labels, probabilities)),
        calibration_error=figures.calibration_error(scores.labels, probabilities),
    )
