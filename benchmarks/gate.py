"""`python -m benchmarks.gate CHECKPOINT DATA… --not-frontal DIR [--frontal DIR…]`: who is refused, by which means.

CHECKPOINT has ood statistics; a gate that it has is not used. A gate is fitted anew, five times, each time without a
fifth of the patients, of the lateral views and of the other folders in DIR, and says what it thinks of those. A set of
frontal images is also judged by a gate that was fitted without the whole set: what another hospital may expect.
`--frontal` names folders of frontal images of further sources, which no gate is fitted on. Takes some ten minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from imaging import preprocess
from model import checkpoint
from model.checkpoint import Checkpoint
from model.gate import FRONTAL
from training.bars import Bars
from training.batches import in_batches
from training.calibrate import gate, gate_examples, gate_fit
from training.calibrate.gate import OutOfFold
from training.calibrate.gate_examples import Examples, Floats
from training.calibrate.gate_sets import by_source
from training.data.dataset import read_dataset
from training.data.sources import SUFFIXES
from training.progress import stage

Members = NDArray[np.bool_]


def by_kind(original: Checkpoint, examples: Examples, said: OutOfFold, limit: float) -> Table:
    """Shares of each group that the domain score refuses, the gate, and either; and whose kind is named rightly."""
    table = Table("images", "number", "ood score", "gate", "either", "kind named rightly")
    by_score, by_gate = _by_score(original, examples.features), said.not_frontal > limit
    right = said.kinds.argmax(1) == examples.kinds
    for name, members in gate.by_group(examples).items():
        shares = (by_score, by_gate, by_score | by_gate, right)
        table.add_row(name, f"{members.sum()}", *(_share(share, members) for share in shares))
    return table


def other_sources(original: Checkpoint, examples: Examples, limit: float) -> Table:
    """Frontal images of each set, judged by a gate that was fitted without the set."""
    table = Table("set", "images as they are", "refused by the gate", "either", "varied copies, by the gate", "either")
    for name in dict.fromkeys(examples.groups[examples.frontal].tolist()):
        left_out = examples.groups == name
        of_group, without = examples.select(left_out), gate_fit.fit(examples.select(~left_out))
        by_gate = 1 - without.kinds(of_group.features)[:, FRONTAL] > limit
        either = by_gate | _by_score(original, of_group.features)
        shares = [
            _share(share, members) for members in (of_group.plain, ~of_group.plain) for share in (by_gate, either)
        ]
        table.add_row(name, f"{of_group.plain.sum()}", *shares)
    return table


def further(original: Checkpoint, examples: Examples, folders: list[Path], limit: float) -> Table:
    """Frontal images of sources that no gate was fitted on."""
    table = Table("folder", "images", "ood score", "gate", "either")
    fitted = gate_fit.fit(examples)
    for folder in folders:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        pixels = np.stack([preprocess.read(path.read_bytes()) for path in files])
        features = np.concatenate([gate_examples.pooled(original.network, batch) for batch in in_batches(pixels)])
        by_score, by_gate = _by_score(original, features), 1 - fitted.kinds(features)[:, FRONTAL] > limit
        every = np.ones(len(files), np.bool_)
        shares = [_share(share, every) for share in (by_score, by_gate, by_score | by_gate)]
        table.add_row(folder.name, f"{len(files)}", *shares)
    return table


def views(examples: Examples, said: OutOfFold) -> Table:
    table = Table("view", "share")
    for name, share in gate.views_told(examples, said, *gate.view_limits(examples, said)).items():
        table.add_row(name, f"{share:.1%}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path, nargs="+", help="as `pneumoscreen model add-gate` takes them")
    parser.add_argument("--not-frontal", type=Path, required=True)
    parser.add_argument("--frontal", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    original = checkpoint.load(given.checkpoint)
    with Bars() as bars:
        dataset = read_dataset(tuple(given.data), stage(bars.update, "reading images"), for_training=True)
        others = gate_examples.read_others(given.not_frontal)
        examples = gate_examples.examples(
            original.network, by_source(dataset), others, 0, stage(bars.update, "features")
        )
    said = gate.out_of_fold(examples)
    limit = gate.limits(examples, said).limit
    console = Console()
    console.print(f"The gate's limit is {limit:g}.")
    console.print(by_kind(original, examples, said, limit), other_sources(original, examples, limit))
    console.print(further(original, examples, given.frontal, limit), views(examples, said))


def _by_score(original: Checkpoint, features: Floats) -> Members:
    none: Members = np.zeros(len(features), np.bool_)
    if original.ood is None or original.card.ood is None:
        return none
    above: Members = original.ood.score(features) > original.card.ood.limit
    return above


def _share(refused: Members, members: Members) -> str:
    return f"{refused[members].mean():.1%}"


if __name__ == "__main__":
    main()
