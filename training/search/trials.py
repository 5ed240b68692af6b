"""The record of a search: Optuna's journal, which an interrupted search goes on from, and what people read."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import tomli_w
from optuna import Study, Trial, TrialPruned
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from core.errors import InvalidInput
from training.config import TrainConfig
from training.search import plot, space

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
STARTUP_TRIALS = 4
"""So many trials are drawn at random, and none is given up, before the search builds on earlier trials."""


def study(folder: Path, key: str, seed: int) -> Study:
    """The search in `folder`, a new one or the one begun there. What was tried when it was interrupted comes first.

    Raises:
        InvalidInput: `folder` holds trials of other data or settings, as `key` tells.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    search = optuna.create_study(
        storage=storage,
        study_name="tune",
        direction="maximize",
        load_if_exists=True,
        pruner=MedianPruner(n_startup_trials=STARTUP_TRIALS),
    )
    if search.user_attrs.setdefault("key", key) != key:
        raise InvalidInput(f"{folder} holds trials of other data or settings; choose another folder.")
    search.set_user_attr("key", key)
    # A sampler begins anew with each process: with the same seed it would propose what it has proposed already.
    search.sampler = TPESampler(seed=seed + len(search.get_trials()), n_startup_trials=STARTUP_TRIALS)
    for trial in search.get_trials(states=(TrialState.RUNNING,)):
        search.enqueue_trial(trial.params)
        search.tell(trial.number, state=TrialState.FAIL)
    return search


def finished(study: Study) -> list[FrozenTrial]:
    """Trials that ran to their end, and those given up as hopeless."""
    return study.get_trials(deepcopy=False, states=FINISHED)


def attempt(study: Study, objective: Callable[[Trial], float]) -> None:
    """Run one trial. Whatever interrupts it, an error included, leaves it to be tried again."""
    trial = study.ask()
    try:
        study.tell(trial, objective(trial))
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)


def write(folder: Path, study: Study, base: TrainConfig) -> None:
    """Write `trials.csv`, `trials.png` and, from the best trial on, `best.toml`."""
    with (folder / "trials.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        names = list(finished(study)[0].params)
        writer.writerow(["trial", "state", "auc", "epochs", "seconds", *names])
        writer.writerows(_row(trial, names) for trial in finished(study))
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    if complete:
        best = space.apply(base, study.best_trial.params)
        number, area = study.best_trial.number + 1, study.best_value
        about = f"# Trial {number} of `pneumoscreen tune`: area under the curve {area:.4f}, on small images."
        text = tomli_w.dumps(_without_none(best.recorded()))
        (folder / "best.toml").write_text(f"{about}\n{text}", encoding="utf-8")
        plot.draw(folder / "trials.png", finished(study))


def _row(trial: FrozenTrial, names: list[str]) -> list[object]:
    area = trial.intermediate_values[max(trial.intermediate_values)]
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    state = "given up" if trial.state == TrialState.PRUNED else "done"
    values = [f"{trial.params[name]:.4g}" for name in names]
    return [trial.number + 1, state, f"{area:.5f}", len(trial.intermediate_values), f"{seconds:.0f}", *values]


def _without_none(value: Any) -> Any:
    """TOML has no null; what is not there takes its default, which is None."""
    if isinstance(value, dict):
        return {name: _without_none(entry) for name, entry in value.items() if entry is not None}
    return value
