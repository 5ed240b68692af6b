"""Cross-validation of configurations over seeds, by patient or by source; interrupted, it goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.atomic import replacement
from core.errors import ConfigurationError, InvalidInput
from training import backbone
from training.config import TrainConfig
from training.data import split
from training.data.dataset import Dataset, read_dataset
from training.develop import Source
from training.evaluate import groups
from training.holdout import predictions, summary
from training.holdout.predictions import Unseen
from training.holdout.summary import Summary
from training.progress import StageProgress, stage

EVERY = "all"
"""Stands for each source in turn."""


@dataclass(frozen=True)
class Plan:
    """What is validated: `configs` by name, each with `seeds` seeds from its own one on. `hold_out` names the sources
    that are left out, one at a time; if it is empty, patients are. `backbone` None downloads it.
    """

    sets: tuple[Path, ...]
    configs: Mapping[str, TrainConfig]
    seeds: int
    hold_out: tuple[str, ...]
    backbone: Path | None
    cache: Path


def cross_validate(plan: Plan, file: Path, progress: StageProgress) -> list[Summary]:
    """Train what `plan.cache` does not hold yet, and write all summaries to `file` after each seed.

    Raises:
        InvalidInput: the data or the backbone cannot be used, or there is no such source.
        ConfigurationError: a configuration trains no whole network.
    """
    for name, config in plan.configs.items():
        if config.method != "finetune":
            raise ConfigurationError(f'{name}: cross-validation needs a configuration with method = "finetune".')
    dataset = read_dataset(plan.sets, stage(progress, "reading images"), for_training=True)
    summaries: dict[tuple[str, str | None], Summary] = {}
    for name, config in plan.configs.items():
        for held_out in _sources(dataset, config, plan.hold_out):
            runs: list[Unseen] = []
            seeds_done = stage(progress, f"{name}, without {held_out or 'some patients'}: seeds")
            seeds_done(0, plan.seeds)
            for number in range(plan.seeds):
                seeded = config.model_copy(update={"seed": config.seed + number})
                runs.append(_run(plan, dataset, seeded, held_out, progress))
                by_group = summary.by_group(dataset, config.data.populations, runs)
                seeds = list(range(config.seed, seeded.seed + 1))
                summaries[name, held_out] = Summary(config=name, held_out=held_out, seeds=seeds, groups=by_group)
                _write(file, summaries.values())
                seeds_done(number + 1, plan.seeds)
    return list(summaries.values())


def _run(plan: Plan, dataset: Dataset, config: TrainConfig, held_out: str | None, progress: StageProgress) -> Unseen:
    network, sha256 = backbone.load(plan.backbone, equalised=config.equalised)
    if held_out is None:
        source = Source(network, sha256, dataset, _folds(dataset, config), _populations(dataset, config))
        return predictions.of_patients(source, config, plan.cache, progress)
    left_out = _counted_to(dataset, config) == held_out
    rest = dataset.select(~left_out)
    learning = Source(network, sha256, rest, _folds(rest, config), _populations(rest, config))
    said = predictions.of_source(learning, dataset.select(left_out), config, plan.cache, progress)
    unseen = Unseen.nothing(len(dataset.names))
    unseen.put(left_out, said)
    return unseen


def _folds(dataset: Dataset, config: TrainConfig) -> NDArray[np.int64]:
    return split.assign_folds(dataset.labels, dataset.patients, config.seed, dataset.sources)


def _populations(dataset: Dataset, config: TrainConfig) -> NDArray[np.str_]:
    return np.array(groups.by_population(dataset, config.data.populations))


def _counted_to(dataset: Dataset, config: TrainConfig) -> NDArray[np.str_]:
    """The source (n,) of each image, or the one that it counts to, which is left out with it."""
    return np.array([config.data.same_as.get(source, source) for source in dataset.sources])


def _sources(dataset: Dataset, config: TrainConfig, hold_out: Sequence[str]) -> list[str | None]:
    """Raises InvalidInput for a source that the sets do not have, or if they have no other one."""
    if not hold_out:
        return [None]
    known = np.unique(_counted_to(dataset, config)).tolist()
    chosen = known if EVERY in hold_out else list(hold_out)
    if unknown := [name for name in chosen if name not in known]:
        raise InvalidInput(f"The sets have no source {unknown[0]}; they have {', '.join(known)}.")
    if len(known) < 2:
        raise InvalidInput(f"All images are of the source {known[0]}, so none is left to learn from.")
    return chosen


def _write(file: Path, summaries: Iterable[Summary]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    values = [one.model_dump(mode="json") for one in summaries]
    with replacement(file) as draft:
        draft.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
