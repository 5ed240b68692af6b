"""Add to a checkpoint the gate that tells what an image shows, and with it refuse what is no frontal chest X-ray.

Only training-side images are used. Limits, and what is refused, come from predictions out of fold: of patients, of
lateral views, and of whole kinds of other images that the gate was fitted without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model import checkpoint
from model.card import Card, GateLimits
from model.gate import FRONTAL, KINDS
from training.calibrate import gate_examples
from training.calibrate.gate_examples import FOLDS, Examples, Floats, Frontal
from training.calibrate.gate_fit import fit
from training.progress import Progress, silent

REFUSED = 0.01
"""Share of frontal images, and of varied copies of them, that the gate may refuse out of fold."""
LEAST_LIMIT = 0.5
"""Below it an image would be refused that is likelier frontal than not."""
VIEW_PRECISION = 0.95
"""Of what is called AP, or PA, out of fold; where neither reaches it nothing is said."""
RULE = (
    "Two layers on the features, fitted to frontal images, to copies of them that were turned, inverted, cut or put "
    f"together, and to images of other kinds. The limit lets through all but {REFUSED:.0%} of the frontal images and "
    "of copies of them that vary as hospitals do, each seen by layers that were fitted without its patient. A view is "
    f"told where {VIEW_PRECISION:.0%} of those called so have it."
)


@dataclass(frozen=True)
class OutOfFold:
    """What layers say that were fitted without an example's fold: `kinds` (n, len(KINDS)) and `ap` (n,)."""

    kinds: Floats
    ap: Floats

    @property
    def not_frontal(self) -> Floats:
        return 1 - self.kinds[:, FRONTAL]


def add_gate(
    source: Path, out: Path, frontal: Sequence[Frontal], not_frontal: Path, seed: int = 0, progress: Progress = silent
) -> Card:
    """Write the checkpoint `source` with a gate to `out` (which may be the same file). Returns the new card.

    Weights, calibration, operating point and ood statistics stay as they are; a gate that is there is replaced.

    Raises:
        ModelInvalid: `source` is no checkpoint that this version can run.
        InvalidInput: `not_frontal` is no folder of folders with images, one of them of lateral views.
    """
    original = checkpoint.load(source)
    others = gate_examples.read_others(not_frontal)
    drawn = gate_examples.examples(original.network, frontal, others, seed, progress)
    section = original.card.quantization
    if section is not None:  # what is refused is part of the decisions that were compared
        section = section.model_copy(update={"agreement": {}})
    card = original.card.model_copy(update={"gate": limits(drawn, out_of_fold(drawn, seed)), "quantization": section})
    checkpoint.save(out, original.network.cpu(), card, original.ood, fit(drawn, seed), original.population)
    return card


def out_of_fold(examples: Examples, seed: int = 0) -> OutOfFold:
    kinds, ap = np.empty((len(examples.kinds), len(KINDS)), np.float32), np.empty(len(examples.kinds), np.float32)
    for fold in range(FOLDS):
        left_out = examples.folds == fold
        gate = fit(examples.select(~left_out), seed)
        kinds[left_out] = gate.kinds(examples.features[left_out])
        ap[left_out] = gate.ap(examples.features[left_out])
    return OutOfFold(kinds, ap)


def limits(examples: Examples, said: OutOfFold) -> GateLimits:
    """What goes into the card: the limits, and what they refuse and tell out of fold."""
    frontal = examples.frontal
    limit = max(LEAST_LIMIT, round(float(np.quantile(said.not_frontal[frontal], 1 - REFUSED)), 3))
    refused = {
        name.replace("_", " "): float((said.not_frontal[members] > limit).mean())
        for name, members in by_group(examples).items()
    }
    ap, pa = view_limits(examples, said)
    return GateLimits(
        limit=limit,
        ap=ap,
        pa=pa,
        rule=RULE,
        images=int((frontal & examples.plain).sum()),
        not_frontal=int((~frontal & examples.plain).sum()),
        refused=refused,
        views=views_told(examples, said, ap, pa),
    )


def by_group(examples: Examples) -> dict[str, NDArray[np.bool_]]:
    """Members (n,) of each group, by its name; of frontal ones the images as they are and the copies apart."""
    groups = {}
    for name in dict.fromkeys(examples.groups.tolist()):
        members = examples.groups == name
        if examples.frontal[members].any():
            groups[f"{name}, as they are"] = members & examples.plain
            groups[f"{name}, varied copies"] = members & ~examples.plain
        else:
            groups[name] = members
    return groups


def view_limits(examples: Examples, said: OutOfFold) -> tuple[float, float]:
    """The probability of AP from which on AP is told, and that up to which PA is."""
    known = examples.frontal & (examples.views != "")
    is_ap, ap = examples.views[known] == "ap", said.ap[known]
    if not is_ap.any() or is_ap.all():
        return 1.0, 0.0
    return _precise(ap, is_ap), 1 - _precise(1 - ap, ~is_ap)


def views_told(examples: Examples, said: OutOfFold, ap: float, pa: float) -> dict[str, float]:
    """Of the frontal images with a known view: the share that is told rightly, and that is told wrongly, for each."""
    told: dict[str, float] = {}
    for view, right, wrong in (("ap", said.ap >= ap, said.ap <= pa), ("pa", said.ap <= pa, said.ap >= ap)):
        members = examples.frontal & (examples.views == view)
        if members.any():
            told |= {f"{view} told": float(right[members].mean()), f"{view} told wrongly": float(wrong[members].mean())}
    return told


def _precise(score: Floats, wanted: NDArray[np.bool_]) -> float:
    """The lowest score, of two digits, from which on `VIEW_PRECISION` are wanted ones; 1 if there is none.

    Both classes weigh the same, so that it holds whatever their shares are.
    """
    weight = np.where(wanted, 1 / wanted.sum(), 1 / (~wanted).sum())
    for limit in np.arange(0.5, 1, 0.01):
        above = score >= limit
        if above.any() and weight[above & wanted].sum() >= VIEW_PRECISION * weight[above].sum():
            return round(float(limit), 2)
    return 1.0
