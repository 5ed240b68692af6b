"""The plot of a search: how it went, and each parameter against what came of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState

from training.evaluate.plots import DPI

COLUMNS = 3


def draw(file: Path, trials: list[FrozenTrial]) -> None:
    """The last area under the curve of each trial: by number, then by each parameter. Hollow ones were given up."""
    names = list(trials[0].params)
    rows = -(-(len(names) + 1) // COLUMNS)
    figure = Figure(figsize=(9, 2.6 * rows), layout="constrained")
    first, *others = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True).flat
    _history(first, trials)
    for axes, name in zip(others, names, strict=False):
        _parameter(axes, name, trials)
    for axes in others[len(names) :]:
        axes.set_axis_off()
    figure.savefig(file, dpi=DPI)


def _history(axes: Axes, trials: list[FrozenTrial]) -> None:
    numbers = [trial.number + 1 for trial in trials]
    _points(axes, numbers, trials)
    done = [trial.state == TrialState.COMPLETE for trial in trials]
    areas = np.where(done, [_area(trial) for trial in trials], -np.inf)
    best = np.maximum.accumulate(areas)
    axes.step(numbers, np.where(np.isfinite(best), best, np.nan), where="post", label="best so far")
    axes.set(xlabel="trial", ylabel="validation AUC")
    axes.legend(fontsize="small")


def _parameter(axes: Axes, name: str, trials: list[FrozenTrial]) -> None:
    distribution = trials[0].distributions[name]
    values = [float(trial.params[name]) for trial in trials]
    if isinstance(distribution, FloatDistribution):
        axes.set(xlim=(distribution.low, distribution.high), xscale="log" if distribution.log else "linear")
    elif isinstance(distribution, CategoricalDistribution):
        axes.set_xticks([float(choice) for choice in distribution.choices])  # type: ignore[arg-type]  # numbers here
    _points(axes, values, trials)
    axes.set(xlabel=name)


def _points(axes: Axes, across: list[float] | list[int], trials: list[FrozenTrial]) -> None:
    colors = ["tab:blue" if trial.state == TrialState.COMPLETE else "none" for trial in trials]
    axes.scatter(across, [_area(trial) for trial in trials], c=colors, edgecolors="tab:blue", clip_on=False, zorder=3)


def _area(trial: FrozenTrial) -> float:
    return trial.intermediate_values[max(trial.intermediate_values)]
