"""The record of a search: it is seeded, goes on after an interruption, gives up hopeless trials, and can be read."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from optuna import Trial, TrialPruned

from core.errors import InvalidInput
from training.config import DEFAULT_CONFIG, TrainConfig, load_config
from training.search import space, trials


def objective(trial: Trial) -> float:
    """The smaller the learning rate, the better."""
    area = 1 - space.suggest(trial, images=800)["learning_rate"]
    trial.report(area, 1)
    return area


def rates(folder: Path, count: int, seed: int = 0) -> list[float]:
    study = trials.study(folder, "key", seed)
    while len(trials.finished(study)) < count:
        trials.attempt(study, objective)
    return [trial.params["learning_rate"] for trial in trials.finished(study)]


def test_same_seed_same_trials(tmp_path: Path) -> None:
    assert rates(tmp_path / "a", 3) == rates(tmp_path / "b", 3)
    assert rates(tmp_path / "a", 3) != rates(tmp_path / "c", 3, seed=1)


def test_a_second_run_goes_on_with_other_trials(tmp_path: Path) -> None:
    first = rates(tmp_path, 2)
    both = rates(tmp_path, 4)
    assert both[:2] == first
    assert len(set(both)) == 4


def test_an_interrupted_trial_comes_first(tmp_path: Path) -> None:
    asked: list[dict[str, float]] = []

    def interrupted(trial: Trial) -> float:
        asked.append(space.suggest(trial, images=800))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trials.attempt(trials.study(tmp_path, "key", 0), interrupted)
    study = trials.study(tmp_path, "key", 0)
    assert trials.finished(study) == []
    trials.attempt(study, objective)
    assert [trial.params for trial in trials.finished(study)] == asked


def test_other_settings_are_refused(tmp_path: Path) -> None:
    trials.study(tmp_path, "key", 0)
    with pytest.raises(InvalidInput, match="other data or settings"):
        trials.study(tmp_path, "another", 0)


def test_hopeless_trials_are_given_up(tmp_path: Path) -> None:
    def judged(trial: Trial) -> float:
        area = 0.9 if trial.number < trials.STARTUP_TRIALS else 0.5
        space.suggest(trial, images=800)
        trial.report(area, 1)
        if trial.should_prune():
            raise TrialPruned
        return area

    study = trials.study(tmp_path, "key", 0)
    for _ in range(trials.STARTUP_TRIALS + 1):
        trials.attempt(study, judged)
    trials.write(tmp_path, study, TrainConfig())
    with (tmp_path / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["state"] for row in rows] == ["done"] * 4 + ["given up"]
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")


def test_best_is_a_whole_configuration(tmp_path: Path) -> None:
    base = load_config(DEFAULT_CONFIG)
    study = trials.study(tmp_path, "key", 0)
    for _ in range(3):
        trials.attempt(study, objective)
    trials.write(tmp_path, study, base)
    smallest = min(trial.params["learning_rate"] for trial in trials.finished(study))
    best = load_config(tmp_path / "best.toml")
    assert best == space.apply(base, study.best_trial.params)
    assert best.finetune.learning_rate == pytest.approx(smallest, rel=1e-3)
