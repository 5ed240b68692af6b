"""`python -m benchmarks.robustness CHECKPOINT SET…`: whether a model's answers survive what happens to radiographs.

Images of each source are turned, cropped, framed, printed on, stored otherwise (benchmarks/variants.py), and go as
files through the decoding, preprocessing and network of screening. A table in Markdown for all images, and one for
each population or source. CHECKPOINT is a file, or `default`. An image takes about a second of one core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import numpy as np

from benchmarks import sample
from benchmarks.flips import CONFIDENT, Answers, VariantFigures, measure
from benchmarks.report import table
from benchmarks.variants import VARIANTS, Expected, Gray, Variant
from core.atomic import replacement
from core.engines import EngineName
from imaging import preprocess
from imaging.decode import decode
from model import loaded
from model.decision import REFUSED
from model.loaded import LoadedModel
from model.registry import DEFAULT
from training.bars import Bars
from training.config import DEFAULT_CONFIG, load_config
from training.data.sources import Item
from training.progress import Progress, silent, stage

AS_IT_IS = "as it is"
POPULATIONS = DEFAULT_CONFIG.with_name("all_ages.toml")
"""Its [data] populations tells which sources are of children where no age is known."""
HEAD = (
    "variant", "should be", "refused", "sensitivity", "specificity", "flips", "of", "confident flips", "of",
    "mean change of probability",
)  # fmt: skip

LEGEND = (
    "A flip is the other decision than of the image as it is, where both are judged; it is a confident one if that "
    f"image's probability is more than {CONFIDENT} from the threshold."
)

Rows = dict[str, VariantFigures]
"""By name of the variant, the first of which is the image as it is."""


def answers(
    model: LoadedModel, images: Sequence[Item], variants: Sequence[Variant], progress: Progress = silent
) -> list[Answers]:
    """What the model says of all images as they are, and then of each variant of them.

    Raises:
        PneumoscreenError: an image cannot be decoded.
    """
    companions = [decode(item.load()) for item in images[:: max(1, len(images) // 4)]][:3]
    probabilities, refused = [], []
    for done, item in enumerate(images, 1):
        data = item.load()
        files = [data, *_files(decode(data), companions, variants)]
        predictions = list(model.predict(np.stack([preprocess.read(file) for file in files])))
        probabilities.append([prediction.probability for prediction in predictions])
        refused.append([model.decide(prediction).decision == REFUSED for prediction in predictions])
        progress(done, len(images))
    columns = zip(np.array(probabilities).T, np.array(refused).T, strict=True)
    return [Answers(of_variant, refused_of) for of_variant, refused_of in columns]


def _files(gray: Gray, companions: Sequence[Gray], variants: Sequence[Variant]) -> list[bytes]:
    films = [gray, *companions, *[gray] * (3 - len(companions))]
    return [variant.make(films) for variant in variants]


def by_group(
    said: Sequence[Answers], images: Sequence[Item], groups: Sequence[str], threshold: float
) -> dict[str, Rows]:
    """Figures of all images, and of those of each group, by variant; an empty name makes no group."""
    names, labels = np.array(groups), np.array([item.label for item in images])
    members = {"all": np.ones(len(images), np.bool_)}
    members |= {name: names == name for name in sorted(set(groups)) if name}
    titles = [AS_IT_IS, *(variant.name for variant in VARIANTS)]
    return {
        group: {
            title: measure(said[0].select(who), of_variant.select(who), labels[who].tolist(), threshold)
            for title, of_variant in zip(titles, said, strict=True)
        }
        for group, who in members.items()
    }


def markdown(rows: Rows) -> str:
    expected = {AS_IT_IS: Expected.SAME, **{variant.name: variant.expected for variant in VARIANTS}}
    return table(HEAD, [_cells(name, expected[name], figures) for name, figures in rows.items()])


def _cells(name: str, expected: Expected, figures: VariantFigures) -> list[str]:
    shares = (figures.refused, figures.sensitivity, figures.specificity)
    counts = (figures.flips, figures.both_judged, figures.confident_flips, figures.confident)
    change = "none" if figures.mean_change is None else f"{figures.mean_change:.3f}"
    return [
        name,
        expected,
        *("none" if share is None else f"{share:.3f}" for share in shares),
        *map(str, counts),
        change,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.robustness", description=__doc__)
    parser.add_argument("checkpoint", help="a file, or `default` for the one that comes with the code")
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET", help="as `pneumoscreen evaluate` takes them")
    parser.add_argument("--images", type=int, default=100, help="of each class of each source (default: 100)")
    parser.add_argument("--split", type=Path, help="split.csv of the model's run: only its test part")
    parser.add_argument("--by", choices=("population", "source"), default="population", help="of which to make tables")
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    images = sample.draw(given.sets, given.images, given.split)
    model = loaded.load(DEFAULT if given.checkpoint == "default" else Path(given.checkpoint), given.engine)
    with Bars() as bars:
        said = answers(model, images, VARIANTS, stage(bars.update, "images"))
    known = load_config(POPULATIONS).data.populations
    groups = [item.source if given.by == "source" else sample.population(item, dict(known)) for item in images]
    figures = by_group(said, images, groups, model.threshold)
    print(f"{model.name} ({model.sha256[:12]}), threshold {model.threshold:g}, engine {model.engine.name}. {LEGEND}")
    for name, rows in figures.items():
        print(f"\n**{name}**: {rows[AS_IT_IS].images} images\n\n{markdown(rows)}")
    if given.json:
        written = {name: {title: asdict(of_row) for title, of_row in rows.items()} for name, rows in figures.items()}
        with replacement(given.json) as draft:
            draft.write_text(json.dumps({"model": model.sha256, "groups": written}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
