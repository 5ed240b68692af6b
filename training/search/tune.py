"""Hyperparameter search by Optuna, on small images and few of them; the test part is not used.

A trial is worth its area under the ROC curve on the validation part, which holds other patients. Threshold and scale of
the output are fitted after training, so ranking is what training has to get right; the loss would also punish label
smoothing for a scale that calibration takes back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from optuna import Study, Trial, TrialPruned

from core.errors import ConfigurationError
from model.resnet import GrayResNet
from training import backbone
from training.augment.loader import LabelledImages
from training.config import TrainConfig
from training.data import split
from training.data.dataset import read_dataset
from training.finetune.loop import Run
from training.finetune.schedule import Stage
from training.progress import StageProgress, stage
from training.search import space, trials


@dataclass(frozen=True)
class Budget:
    """What a search may spend: at most so many trials, each of so many epochs over so many images of that size."""

    trials: int = 12
    epochs: int = 3
    images: int = 800
    size_px: int = 96


@dataclass(frozen=True)
class Search:
    """What all trials share."""

    base: TrainConfig
    budget: Budget
    network: GrayResNet
    train: LabelledImages
    validation: LabelledImages
    folder: Path
    progress: StageProgress

    @property
    def key(self) -> str:
        """What makes trials comparable, as 16 hex digits; more of them may be asked for later."""
        weights = self.network.state_dict()["body.conv1.weight"].numpy().tobytes()
        parts = [
            self.base.model_dump_json(exclude={"finetune": {"workers"}}),
            self.train.digest,
            self.validation.digest,
            hashlib.sha256(weights).hexdigest(),
            [self.budget.epochs, self.budget.size_px],
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def run(self, trial: Trial) -> float:
        """The trial's area under the curve after its last epoch.

        Raises:
            TrialPruned: it is worse than half of those before it were by then.
        """
        config = space.apply(self.base, space.suggest(trial, 2 * int(np.bincount(self.train.labels).min())))
        state = self._state(trial)
        epochs = self.budget.epochs
        run = Run(self.network, proxy(config, self.budget).finetune, config.distort, config.seed)
        tell = stage(self.progress, f"trial {trial.number + 1}")
        area = 0.0
        for epoch in range(1, epochs + 1):
            tuned = run.fit(
                self.train, state, validation=self.validation, epochs=epoch,
                progress=lambda done, total, epoch=epoch: tell(done, total // epoch * epochs),  # type: ignore[misc]
            )  # fmt: skip
            area = tuned.history[epoch - 1].validation_auc
            trial.report(area, epoch)
            if epoch < epochs and trial.should_prune():
                raise TrialPruned
        return area

    def _state(self, trial: Trial) -> Path:
        """Named by the parameters, so that an interrupted trial goes on with the epoch it was in."""
        digest = hashlib.sha256(json.dumps(trial.params, sort_keys=True).encode()).hexdigest()[:16]
        return self.folder / "unfinished" / f"{digest}.state"


def proxy(config: TrainConfig, budget: Budget) -> TrainConfig:
    """Return a short version of the configuration for a trial: upper layers first, then all, without early stopping."""
    stages = [Stage(epochs=1, size_px=budget.size_px, train_from="layer3")]
    if budget.epochs > 1:
        stages.append(Stage(epochs=budget.epochs - 1, size_px=budget.size_px, train_from="conv1"))
    changes = {"stages": tuple(stages), "polish": None, "patience_epochs": budget.epochs}
    return config.model_copy(update={"finetune": config.finetune.model_copy(update=changes)})


def prepare_search(
    sets: Sequence[Path], weights: Path | None, out: Path, base: TrainConfig, budget: Budget, progress: StageProgress
) -> Search:
    """Read data set and backbone, and draw the images that trials see.

    Raises:
        InvalidInput: the data set or the backbone cannot be used; the sentence says why.
        ConfigurationError: the configuration cannot be used.
    """
    if base.method != "finetune":
        raise ConfigurationError(f"Only the method finetune can be tuned, and the configuration has {base.method}.")
    dataset = read_dataset(sets, stage(progress, "reading images"), for_training=True)
    parts = split.parts(split.assign_folds(dataset.labels, dataset.patients, base.seed, dataset.sources))
    network, _ = backbone.load(weights, equalised=base.equalised)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(base.seed)
        network.body.fc.reset_parameters()
    labelled = LabelledImages.of(dataset, base.data.same_as)
    train = labelled.select(draw(dataset.labels, parts == "train", budget.images, base.seed))
    validation = labelled.select(draw(dataset.labels, parts == "validation", budget.images, base.seed))
    return Search(base, budget, network, train, validation, out, progress)


def draw(labels: NDArray[np.int64], allowed: NDArray[np.bool_], count: int, seed: int) -> NDArray[np.bool_]:
    """Choose up to count / 2 of the allowed images (n,) of each class."""
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label in (0, 1):
        members = np.flatnonzero(allowed & (labels == label))
        chosen[np.random.default_rng(seed).permutation(members)[: count // 2]] = True
    return chosen


def run_search(search: Search) -> Study:
    """Try until `budget.trials` have finished, counting those of earlier runs, and write what was found after each."""
    study = trials.study(search.folder, search.key, search.base.seed)
    while len(finished := trials.finished(study)) < search.budget.trials:
        search.progress("trials", len(finished), search.budget.trials)
        trials.attempt(study, search.run)
        trials.write(search.folder, study, search.base)
        for state in (search.folder / "unfinished").glob("*.state"):
            state.unlink()
    search.progress("trials", len(finished), search.budget.trials)
    return study
