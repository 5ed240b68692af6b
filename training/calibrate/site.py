"""A site's own operating point: refit a model's threshold, and if asked its calibration, on a small labelled folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from core.engines import EngineName
from core.errors import InvalidInput
from core.populations import Population
from model import checkpoint, loaded
from model.card import Calibration, Card, OperatingPoint, Populations, Site
from model.decision import REFUSED
from model.registry import Entry
from training.batches import in_batches
from training.calibrate.operating_point import choose_threshold
from training.calibrate.platt import UNCHANGED, calibrated, fit_platt, fold_into
from training.calibrate.site_figures import Comparison, compare
from training.data.dataset import Dataset
from training.data.listing import CLASSES
from training.progress import Progress, silent
from training.release.version import code_version

MIN_EACH = 20
"""Patients of each class: with fewer, the 95 % interval of a sensitivity spans more than 20 points."""

FOLDS = 5
INVERSE_REGULARIZATION = 1.0
"""A site has few images, so its calibration stays near the model's own."""
RULE = (
    "Maximises balanced accuracy (the mean of sensitivity and specificity) on the site's own images, in the middle of "
    "the range that does so."
)

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Scores:
    """The logits (n,) by a model of a site's images and whether it calls them pneumonia, those left out that it refuses
    to judge. Where it judges populations apart, a logit is on the scale of the image's own.
    """

    logits: Floats
    called: NDArray[np.bool_]
    labels: Labels
    patients: NDArray[np.str_]
    refused: int


@dataclass(frozen=True)
class Proposal:
    """A new operating point, and calibration if asked for, with what it would change."""

    card: Card
    platt: Calibration | None
    comparison: Comparison


def judge(entry: Entry, engine: EngineName, dataset: Dataset, progress: Progress = silent) -> Scores:
    """What the model says of the site's images.

    Raises:
        InvalidInput: too few patients of a class are left to set an operating point on.
    """
    model = loaded.load(entry, engine)
    predictions = [one for batch in in_batches(dataset.pixels, progress) for one in model.predict(batch)]
    decisions = np.array([model.decide(one).decision for one in predictions])
    refused = decisions == REFUSED
    probability = np.array([one.probability for one in predictions])
    clipped = probability[~refused].clip(1e-7, 1 - 1e-7)
    patients: NDArray[np.str_] = np.array(dataset.patients)[~refused]
    logits, called = np.log(clipped / (1 - clipped)), decisions[~refused] == "pneumonia"
    scores = Scores(logits, called, dataset.labels[~refused], patients, int(refused.sum()))
    _check_enough(scores)
    return scores


def propose(entry: Entry, scores: Scores, name: str, *, platt: bool) -> Proposal:
    """The site's operating point by `RULE`, compared with the model's own.

    The figures of the new point are cross-validated: each image is decided at a point that was set without its
    patient, so that they promise no more than the site will see.
    """
    fitted = recalibrate(scores) if platt else None
    moved = calibrated(fitted or UNCHANGED, scores.logits)
    point = _operating_point(moved, scores.labels)
    called = _out_of_fold(scores)
    comparison = compare(scores.labels, scores.patients, scores.called, called, entry.card.operating_point, point)
    return Proposal(_card(entry, scores, name, point, fitted, comparison), fitted, comparison)


def save(entry: Entry, proposal: Proposal, out: Path) -> str:
    """Write the new model version, calibration folded into its last layer; returns the sha256 of the file."""
    parent = checkpoint.load(entry.path, entry.sha256)
    if proposal.platt is not None:
        fold_into(parent.network, proposal.platt)
    return checkpoint.save_again(out, parent, proposal.card)


def recalibrate(scores: Scores) -> Calibration:
    """Fit Platt scaling to the model's logits.

    Raises:
        InvalidInput: the model ranks these images no better than by chance.
    """
    calibration = fit_platt(scores.logits[None], scores.labels, inverse_regularization=INVERSE_REGULARIZATION)
    if calibration.slope <= 0:
        raise InvalidInput(
            "The model gives these pneumonias no higher scores than these normals, so nothing can be calibrated; "
            "check that the folders NORMAL and PNEUMONIA are not mixed up."
        )
    return calibration


def _check_enough(scores: Scores) -> None:
    for label, name in enumerate(CLASSES):
        count = len(set(scores.patients[scores.labels == label].tolist()))
        if count < MIN_EACH:
            left_out = f" ({scores.refused} images were left out, since the model refuses to judge them)"
            raise InvalidInput(
                f"{name} has images of {count} patients{left_out if scores.refused else ''}; an operating point needs "
                f"at least {MIN_EACH} of each class. Add more and run this again."
            )


def _operating_point(probabilities: Floats, labels: Labels) -> OperatingPoint:
    chosen = choose_threshold(probabilities[None], labels)
    return OperatingPoint(threshold=chosen.threshold, rule=RULE)


def _out_of_fold(scores: Scores) -> NDArray[np.bool_]:
    """Which images (n,) are called pneumonia at a point set on the other patients'."""
    called = np.empty(len(scores.labels), dtype=np.bool_)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    probabilities = calibrated(UNCHANGED, scores.logits)
    for rest, fold in splitter.split(scores.logits, scores.labels, scores.patients):
        point = _operating_point(probabilities[rest], scores.labels[rest])
        called[fold] = probabilities[fold] >= point.threshold
    return called


def _card(
    entry: Entry, scores: Scores, name: str, point: OperatingPoint, fitted: Calibration | None, comparison: Comparison
) -> Card:
    old = entry.card.calibration
    site = Site(
        parent_name=entry.name,
        parent_sha256=entry.sha256,
        images=len(scores.labels),
        patients=len(set(scores.patients.tolist())),
        pneumonia=int(scores.labels.sum()),
        refused=scores.refused,
    )
    changes: dict[str, Any] = {
        "name": name,
        "code_version": code_version(),
        "operating_point": point,
        "site": site,
        # The parent's figures belong to the parent's operating point; they are found under its hash.
        "metrics": {"site": comparison.after.model_dump(mode="json")},
    }
    if entry.card.populations is not None:
        changes["populations"] = _populations(entry.card.populations, point, fitted or UNCHANGED)
    if entry.card.quantization is not None:
        # Measured with the parent's operating point.
        changes["quantization"] = entry.card.quantization.model_copy(update={"agreement": {}})
    if fitted is not None:
        changes["calibration"] = Calibration(
            slope=old.slope * fitted.slope,
            intercept=old.intercept * fitted.slope + fitted.intercept,
            prior=fitted.prior,
        )
    return Card.model_validate(entry.card.model_copy(update=changes).model_dump())


def _populations(section: Populations, point: OperatingPoint, fitted: Calibration) -> Populations:
    """The site's threshold and calibration for either population, which keep what sets them apart.

    `fitted` goes into the network's last layer, that is before a population's own line, though it was fitted behind it:
    the intercept makes up for the order.
    """
    changed = {}
    for name in Population:
        old = section.of(name)
        intercept = fitted.slope * old.intercept + fitted.intercept - old.slope * fitted.intercept
        changes = {"intercept": intercept, "threshold": point.threshold, "measured": None}
        changed[str(name)] = old.model_copy(update=changes)
    return section.model_copy(update=changed)
