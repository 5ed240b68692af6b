"""`python -m benchmarks.shortcuts CHECKPOINT SET…`: which clues of the recording tell the class, and who follows them.

Three tables in Markdown: how well each clue (benchmarks/recording.py) alone tells pneumonia within a source; how well
it tells a source from the others within a class; and, with a checkpoint, how the network's logit goes with it within a
class of a source, where a network that follows no clue is near 0. Give `none` for CHECKPOINT to leave the last out, and
run it with two checkpoints to compare them.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from benchmarks import recording, sample
from benchmarks.report import table
from core.atomic import replacement
from imaging import preprocess
from model import loaded
from model.registry import DEFAULT
from training.bars import Bars
from training.batches import in_batches
from training.data.listing import CLASSES
from training.data.sources import Item
from training.progress import Progress, silent, stage

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Figures = dict[str, dict[str, float | None]]
"""By clue, then by column of the table; None where a clue does not vary or is not known."""

FEWEST = 10
"""Images of each side that a figure needs."""


@dataclass(frozen=True)
class Sample:
    """Of n images: labels (n,), 1 for pneumonia, sources (n,), and each clue (n,) by its name, NaN if not known."""

    labels: NDArray[np.int64]
    sources: NDArray[np.str_]
    clues: dict[str, Floats]

    @classmethod
    def of(cls, images: Sequence[Item], progress: Progress = silent) -> Sample:
        rows = []
        for done, item in enumerate(images, 1):
            rows.append(recording.of_file(item))
            progress(done, len(images))
        clues = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        return cls(np.array([item.label for item in images]), np.array([item.source for item in images]), clues)

    @property
    def names(self) -> list[str]:
        """Of the sources."""
        return sorted(set(self.sources.tolist()))


def tells_class(images: Sample) -> Figures:
    """AUC of each clue alone for pneumonia, within each source: above 0.5 where pneumonias have more of it."""
    sick = images.labels == 1
    return {
        clue: {name: auc(values, sick, images.sources == name) for name in images.names}
        for clue, values in images.clues.items()
    }


def tells_source(images: Sample) -> Figures:
    """AUC of each clue alone for each source against the others, within each class."""
    return {
        clue: {
            f"{name} in {CLASSES[label]}": auc(values, images.sources == name, images.labels == label)
            for name in images.names
            for label in (0, 1)
        }
        for clue, values in images.clues.items()
    }


def followed(images: Sample, logits: Floats) -> Figures:
    """Rank correlation (Spearman's) of the logit (n,) with each clue, within each class of each source."""
    return {
        clue: {
            f"{name} {CLASSES[label]}": correlation(values, logits, (images.sources == name) & (images.labels == label))
            for name in images.names
            for label in (0, 1)
        }
        for clue, values in images.clues.items()
    }


def auc(clue: Floats, positive: Bools, members: Bools) -> float | None:
    """Area under the ROC curve of a clue (n,) for `positive` (n,), among the `members` whose clue is known."""
    known = members & np.isfinite(clue)
    counts = np.bincount(positive[known].astype(np.int64), minlength=2)
    if counts.min() < FEWEST or np.ptp(clue[known]) == 0:
        return None
    return float(roc_auc_score(positive[known], clue[known]))


def correlation(clue: Floats, logits: Floats, members: Bools) -> float | None:
    """Spearman's rank correlation among those `members` (n,) whose clue (n,) is known."""
    known = members & np.isfinite(clue)
    if known.sum() < FEWEST or np.ptp(clue[known]) == 0 or np.ptp(logits[known]) == 0:
        return None
    return float(np.corrcoef(rankdata(clue[known]), rankdata(logits[known]))[0, 1])


def logits(checkpoint: str, images: Sequence[Item], progress: Progress = silent) -> Floats:
    """Of a checkpoint's file, or of `default`, in float32: (n,)."""
    model = loaded.load(DEFAULT if checkpoint == "default" else Path(checkpoint), "torch-cpu")
    pixels = np.stack([preprocess.read(item.load()) for item in images])
    return np.concatenate([model.engine.forward(batch).logits for batch in in_batches(pixels, progress)]).astype(float)


def markdown(measured: Figures, *, signed: bool) -> str:
    columns = list(next(iter(measured.values())))
    return table(
        ["clue", *columns], [[clue, *(_cell(row[name], signed) for name in columns)] for clue, row in measured.items()]
    )


def _cell(value: float | None, signed: bool) -> str:
    if value is None:
        return ""
    return f"{value:+.2f}" if signed else f"{value:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shortcuts", description=__doc__)
    parser.add_argument("checkpoint", help="a file, `default` for the one that comes with the code, or `none`")
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET", help="as `pneumoscreen evaluate` takes them")
    parser.add_argument("--images", type=int, default=300, help="of each class of each source (default: 300)")
    parser.add_argument("--split", type=Path, help="split.csv of the model's run: only its test part")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    drawn = sample.draw(given.sets, given.images, given.split)
    with Bars() as bars:
        images = Sample.of(drawn, stage(bars.update, "clues"))
        said = None if given.checkpoint == "none" else logits(given.checkpoint, drawn, stage(bars.update, "predicting"))
    tables = {"AUC for pneumonia within a source": tells_class(images)}
    if len(images.names) > 1:
        tables["AUC for a source against the others, within a class"] = tells_source(images)
    if said is not None:
        tables["Rank correlation of the logit with the clue, within a class of a source"] = followed(images, said)
    by_chance = 1 / math.sqrt(max(given.images - 1, 1))
    print(f"{len(drawn)} images, at most {given.images} of each class of each source. Without any link a correlation")
    print(f"has a standard deviation of {by_chance:.2f}, an AUC one of {by_chance / math.sqrt(6):.2f}.")
    for title, measured in tables.items():
        print(f"\n**{title}**\n\n{markdown(measured, signed=title.startswith('Rank'))}")
    if given.json:
        with replacement(given.json) as draft:
            draft.write_text(json.dumps(tables, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
