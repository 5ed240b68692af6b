"""The model card for people, written from a checkpoint's own card so that the two cannot disagree."""

from __future__ import annotations

from typing import Any

from core.populations import CHILD_BELOW_YEARS, Population
from imaging.preprocess import SMALL_PX
from model.card import Card, GateLimits, OodLimit, PopulationGain, Populations, Quantization
from training.evaluate import seeds
from training.evaluate.bootstrap import DRAWS
from training.evaluate.figures import BINS

BACKBONE = "torchvision ResNet-18, weights IMAGENET1K_V1, BSD-3-Clause"

INTENDED_USE = (
    "Research, and sorting archives of chest X-rays so that a radiologist reads the likely pneumonias first. "
    "It is never a diagnosis, and never a reason not to have an image read."
)
LIMITS = (
    "Trained on frontal X-rays of children of one to five years from a single hospital (Guangzhou Women and "
    "Children's Medical Center). Adults, older children, newborns, lateral views and other hospitals' devices are "
    "outside of what it learned, and its figures say nothing about them.",
    "It knows two answers. Any other disease, and any image that is no chest X-ray, is called normal or pneumonia too.",
    "In the training set the way a file was recorded gives its class away: compression, sharpness, tone and field of "
    "view differ between normals and pneumonias. Training copies hide all four, but figures measured on a split of the "
    "same set still flatter a model that uses such clues.",
    "The labels are physicians' readings of the X-ray, not the course of the disease; bacterial and viral pneumonia "
    "are one class.",
    "The probability is calibrated for as many pneumonias as normals. Where pneumonia is rarer, fewer of the images "
    "called pneumonia are one.",
    "No regulator has cleared it; it is no medical device.",
)


_TEMPLATE = """\
# Model card: {card.name}

Generated from the checkpoint by `pneumoscreen train --ship`; do not edit.

| | |
|---|---|
| architecture | {card.architecture} |
| made | {card.created_at:%Y-%m-%d} by pneumoscreen {card.code_version} |
| sha256 | `{sha256}` |
| input | {card.preprocessing} |

## What it reads

JPEG of 8 bits and PNG of 1 to 16 bits a sample, gray or in colour; they are made gray, upright as EXIF says and as
bright as a PNG's gAMA says, and 16 bits become 8 by the window of values that the image's histogram shows to be in use.
A uniform border is cut off, and a picture with less than {small_px} px left on a side is judged with a note that it is
small.

## What it is for

{card.intended_use}

## What it is not for, and what to know

{limits}

## What it was trained on

{data.source}. Licence: {data.licence}. {data.images} images of {data.patients} patients, {data.pneumonia} of them
with pneumonia, after leaving out {data.duplicates_left_out} files with the bytes of another. Patients are told apart
by file name, and none is in two parts: {split}.

Starting point: {card.backbone}. {method}

Made by `{command}`; the whole configuration is in the checkpoint (`pneumoscreen model show {card.name}`).

## Decision

An image whose calibrated probability is {point.threshold:g} or more is called pneumonia. {point.rule}
The probability is calibrated by Platt scaling on the same predictions, for a share of pneumonia of {prior:.0%}.
{populations}
## Measured

{figures}

{seeds}\
*Test part*: images of patients that played no part in training, calibration or the choice of the operating point.
*Out of fold*: the images of the training and validation parts, each judged by a network that was fitted without its
patient; calibration and operating point were chosen on these, so they are slightly flattered. {copies}
In brackets: 95 % intervals from {draws} draws of patients.
Calibration error: expected, over {bins} bins of equal width.

All come from the hospitals that it learned from, and share their clues: another hospital's images are harder. Figures
on the official test split of the children's set, 624 images, are not given here: that split is kept for measuring what
is released, and their place is left open.

Confusion matrix of the test part:

| | called normal | called pneumonia |
|---|---|---|
| is normal | {confusion[0][0]} | {confusion[0][1]} |
| is pneumonia | {confusion[1][0]} | {confusion[1][1]} |

{groups}{ood}{gate}{quantization}{recompression}"""

_FIGURES = {
    "images": "images",
    "accuracy": "accuracy",
    "precision_weighted": "precision, weighted",
    "recall_weighted": "recall, weighted",
    "f1_weighted": "F1, weighted",
    "auc": "area under the ROC curve",
    "sensitivity": "sensitivity (pneumonias found)",
    "specificity": "specificity (normals left alone)",
    "brier": "Brier score of the probability",
    "calibration_error": "calibration error of the probability",
}
_COLUMNS = {
    "test": "test part",
    "out_of_fold": "out of fold",
    "out_of_fold_copies": "distorted copies",
    "out_of_fold_reframed": "turned or cropped copies",
    "out_of_fold_crossed": "crossed copies",
}
_SEEDS = {name: _FIGURES[name] for name in seeds.FIGURES}

_METHODS = {
    "finetune": "All layers were fine-tuned, on distorted copies and on copies in the style of other images, with "
    "{seeds} seeds; the weights are the mean of these networks{oof}.",
    "frozen": "Its weights were kept, and one linear layer was fitted on its features.",
}
_COPIES = {
    "finetune": "*Distorted copies* of these are shrunk to 50-90 % of their side, brought back, and saved as JPEG of "
    "quality 30-60. *Turned or cropped copies* are turned by 2 to 6 degrees with black corners, or lose 4 to 10 % a "
    "side. *Crossed copies* have the tone, the sharpness and the field of view of a random image of the other "
    "class: what these tell a network about the class is wrong there.",
    "frozen": "*Distorted copies* of these are augmented as in training.",
}


def render(card: Card, sha256: str) -> str:
    """The card as Markdown; `sha256` is that of the checkpoint's file."""
    method = card.config["method"]
    return _TEMPLATE.format(
        card=card,
        sha256=sha256,
        small_px=SMALL_PX,
        data=card.training_data,
        point=card.operating_point,
        prior=card.calibration.prior,
        limits="\n".join(f"- {limit}" for limit in card.limits),
        split=", ".join(f"{count} images {part}" for part, count in card.split.items()),
        method=_method(card.config),
        copies=_COPIES[method],
        command=card.config["command"],
        draws=DRAWS,
        bins=BINS,
        figures=_figures(card.metrics),
        seeds=_seeds(card.metrics.get("seeds")),
        populations=_populations(card.populations),
        confusion=card.metrics["test"]["confusion"],
        groups=_groups(card.metrics.get("groups")) + _map(card.metrics.get("map")),
        ood="" if card.ood is None and card.gate else _ood(card.ood),
        gate=_gate(card.gate),
        quantization=_quantization(card.quantization),
        recompression=_recompression(card.metrics.get("recompression")),
    )


def _method(config: dict[str, Any]) -> str:
    finetune = config.get("finetune", {})
    oof_seeds = finetune.get("oof_seeds")
    oof = f" (of {oof_seeds}, in the networks for out-of-fold predictions)" if oof_seeds else ""
    return _METHODS[config["method"]].format(seeds=finetune.get("seeds", 1), oof=oof)


def _figures(metrics: dict[str, Any]) -> str:
    """A table with a column for each set of images that was measured."""
    columns = {key: title for key, title in _COLUMNS.items() if key in metrics}
    lines = [f"| figure | {' | '.join(columns.values())} |", "|---" * (1 + len(columns)) + "|"]
    rows = {key: (title, [_number(metrics[column], key) for column in columns]) for key, title in _FIGURES.items()}
    for share in metrics["test"]["sensitivity_at_specificity"]:
        cells = [f"{metrics[column]['sensitivity_at_specificity'][share]:.3f}" for column in columns]
        rows[share] = (f"sensitivity where specificity is {float(share):.0%}", cells)
    lines += [f"| {title} | {' | '.join(cells)} |" for title, cells in rows.values()]
    return "\n".join(lines)


def _seeds(spread: dict[str, Any] | None) -> str:
    """How figures vary from seed to seed, each seed judged as if it were the model."""
    if spread is None:
        return ""
    count = len(next(iter(spread.values()))["each"])
    lines = [f"Out of fold, seed by seed, before the {count} were averaged:", ""]
    lines += ["| figure | each seed | mean | standard deviation |", "|---|---|---|---|"]
    for name, title in _SEEDS.items():
        figure = spread[name]
        each = ", ".join(f"{value:.4f}" for value in figure["each"])
        lines.append(f"| {title} | {each} | {figure['mean']:.4f} | {figure['sd']:.4f} |")
    return "\n".join(lines) + "\n\n"


def _groups(by_part: dict[str, Any] | None) -> str:
    """Figures by population, source, view and age, where the training data tell of any."""
    if not by_part or not any(by_part.values()):
        return ""
    lines = ["## By whom and by what", "", "| images | group | normal, pneumonia | AUC | sensitivity | specificity |"]
    lines.append("|---" * 6 + "|")
    for part, by_kind in by_part.items():
        for kind, by_name in by_kind.items():
            for name, figures in by_name.items():
                values = (figures[key] for key in ("auc", "sensitivity", "specificity"))
                cells = " | ".join("none" if value is None else f"{value:.3f}" for value in values)
                counts = f"{figures['normal']}, {figures['pneumonia']}"
                lines.append(f"| {_COLUMNS[part]} | {kind} {name} | {counts} | {cells} |")
    return "\n".join(lines) + "\n\n"


def _map(by_outcome: dict[str, Any] | None) -> str:
    """Where the maps of the test part point, where training measured it."""
    if not by_outcome:
        return ""
    lines = [
        "## Where its map points",
        "",
        "Of the test part, against lungs that a network found (`pneumoscreen lungs`). By chance the mass inside would "
        "be the share of the image that is lung.",
        "",
        "| images | number | share that is lung | mass of the map inside | strongest cell inside | map shown |",
        "|---" * 6 + "|",
    ]
    for outcome, of_maps in by_outcome.items():
        inside = "none" if of_maps["inside"] is None else f"{of_maps['inside']:.2f}"
        shares = f"{of_maps['area']:.2f} | {inside} | {of_maps['peak_inside']:.2f} | {of_maps['shown']:.2f}"
        lines.append(f"| {outcome} | {of_maps['images']} | {shares} |")
    return "\n".join(lines) + "\n\n"


def _populations(section: Populations | None) -> str:
    """What holds for each population, beside what would hold for it with the calibration and threshold of all."""
    if section is None:
        return ""
    lines = [
        "",
        "Both are of all images together and not used as they are. Children "
        f"(under {CHILD_BELOW_YEARS} years) and adults are judged apart: by what was chosen for the job, else by the "
        "patient's age where it is known, and else by the network, which tells them by one linear layer on its "
        f"features. {section.rule} Sensitivity, specificity and calibration error are out of fold, behind a "
        "slash those with the calibration and the threshold of all images. The gain is that in balanced accuracy.",
        "",
        "| | images, pneumonias, patients trained on | logit | called pneumonia from | sensitivity | specificity "
        "| calibration error | gain on the validation part |",
        "|---" * 8 + "|",
    ]
    for population in Population:
        point = section.of(population)
        lines.append(
            f"| {population} | {point.images}, {point.pneumonia}, {point.patients} "
            f"| {point.slope:.3f} x {point.intercept:+.3f} | {point.threshold:g}{'' if point.own else ' (as all)'} "
            f"| {_gain(point.measured)} |"
        )
    told = ", ".join(f"{name} {share:.1%}" for name, share in section.told.items())
    lines += [
        "",
        f"The network tells rightly, of images whose patients the layer was fitted without: {told}. Where the sources "
        "of children and of adults are not the same, it may in part tell the hospital.",
        "",
    ]
    return "\n".join(lines)


def _gain(measured: PopulationGain | None) -> str:
    if measured is None:
        return "not measured | | |"
    cells = [
        f"{getattr(measured.figures, name):.3f} / {getattr(measured.common, name):.3f}"
        for name in ("sensitivity", "specificity", "calibration_error")
    ]
    low, high = measured.interval
    return " | ".join([*cells, f"{measured.gain:+.3f} ({low:+.3f} to {high:+.3f})"])


def _ood(limit: OodLimit | None) -> str:
    if limit is None:
        return "## What it refuses\n\nNothing: it carries no statistics of its training images.\n\n"
    rows = "\n".join(f"| {name} | {share:.1%} |" for name, share in limit.refused.items())
    return (
        "## What it refuses\n\nThe domain score says how unlike the images that the model was trained on an image is. "
        f"An image whose score is above {limit.limit:g} is not judged. {limit.rule} The statistics come from "
        f"{limit.images} images of {limit.patients} patients. Refused of held-out patients' "
        f"images:\n\n| images | refused |\n|---|---|\n{rows}\n\n"
    )


def _gate(gate: GateLimits | None) -> str:
    if gate is None:
        return ""
    rows = "\n".join(f"| {name} | {share:.1%} |" for name, share in gate.refused.items())
    views = ", ".join(f"{name} {share:.1%}" for name, share in gate.views.items())
    told = f"Of frontal images whose view is known: {views}.\n\n" if views else ""
    return (
        "## What it takes an image for\n\nA gate tells upright frontal chest X-rays from lateral views, from films "
        "that are turned, inverted, cut off, or several in one picture, and from all else. An image that is not "
        f"frontal with a probability above {gate.limit:g} is not judged. {gate.rule} It was fitted to {gate.images} "
        f"frontal images and {gate.not_frontal} others. Refused by the gate alone, of images that it was fitted "
        "without:\n\n"
        f"| images | refused |\n|---|---|\n{rows}\n\n{told}"
    )


def _quantization(section: Quantization | None) -> str:
    if section is None:
        return ""
    rows = "\n".join(
        f"| {part} | {agreement.images} | {agreement.equal_decisions:.2%} | {agreement.probability_change_p99:.4f} |"
        for part, agreement in section.agreement.items()
    )
    return (
        "## On 8-bit integers\n\nOn a CPU the network may run on 8-bit integers, all but the first two convolutions "
        f"and the last layer. Ranges come from {section.images} training images. Against float32:\n\n"
        f"| part | images | same answer | change of the probability, 99 % quantile |\n|---|---|---|---|\n{rows}\n\n"
    )


def _number(figures: dict[str, Any], key: str) -> str:
    value, interval = figures[key], figures["intervals"].get(key)
    if isinstance(value, int):
        return f"{value}"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def _recompression(moved: dict[str, Any] | None) -> str:
    if moved is None:
        return "How far predictions move with the JPEG quality of a file was not measured for this checkpoint.\n"
    qualities = ", ".join(f"{change:.3f} at {quality}" for quality, change in moved["by_quality"].items())
    signed = ", ".join(f"{change:+.3f} for {name}" for name, change in moved["mean_change"].items())
    return (
        f"## Compression\n\nThe same {moved['images']} originals re-encoded as JPEG move the probability by "
        f"{moved['mean_absolute_change']:.3f} on average, its logit by {moved['mean_absolute_logit_change']:.2f} "
        f"(by quality: {qualities}; with its sign: {signed}), and {moved['decisions_changed']:.1%} of the re-encoded "
        "files fall on the other side of the threshold. These originals belong to the training set, so the model is "
        "surer of them, and steadier, than of new images.\n"
    )
