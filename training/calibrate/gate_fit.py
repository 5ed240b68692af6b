"""The gate's layers from examples: those for the kinds, trained with torch, and the one for the views."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import nn

from model.gate import FRONTAL, KINDS, Gate
from model.weights import POOLED
from training.calibrate.gate_examples import Examples, Floats

HIDDEN = 64
DROPOUT = 0.2
STEPS = 1600
BATCH = 128
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.1
FRONTAL_WEIGHT = 0.5
"""Of all examples; the other kinds share the rest evenly, and within a kind its groups do."""
VIEW_REGULARIZATION = 1e-3
"""scikit-learn's C, for each example."""


def fit(examples: Examples, seed: int = 0) -> Gate:
    """The layers for the kinds on all examples, and the one for the views on those of which the view is known."""
    mean, scale = examples.features.mean(0), examples.features.std(0) + 1e-6
    standard = (examples.features - mean) / scale
    hidden, weight = _kinds(standard, examples, seed)
    return Gate(*(array.astype(np.float32) for array in (mean, scale, hidden, weight, _view(standard, examples))))


def _kinds(standard: Floats, examples: Examples, seed: int) -> tuple[Floats, Floats]:
    """Rows of both layers, the bias last. A kind without examples learns that it never is."""
    features, kinds = torch.from_numpy(standard), torch.from_numpy(examples.kinds)
    weights = torch.from_numpy(_weights(examples) * len(standard)).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = nn.Sequential(nn.Linear(POOLED, HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(HIDDEN, len(KINDS)))
        optimizer = torch.optim.AdamW(layers.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            drawn = torch.randint(len(standard), (BATCH,))
            losses = nn.functional.cross_entropy(layers(features[drawn]), kinds[drawn], reduction="none")
            optimizer.zero_grad()
            (losses * weights[drawn]).mean().backward()  # type: ignore[no-untyped-call]  # the stubs lack its types
            optimizer.step()
            schedule.step()
    return _rows(layers[0]), _rows(layers[3])


def _rows(layer: nn.Module) -> Floats:
    parameters = dict(layer.named_parameters())
    rows: Floats = torch.cat([parameters["weight"], parameters["bias"][:, None]], 1).detach().numpy()
    return rows


def _weights(examples: Examples) -> NDArray[np.float64]:
    """One for each example; they sum to 1."""
    weights = np.empty(len(examples.kinds))
    others = len(np.unique(examples.kinds)) - 1
    for kind in np.unique(examples.kinds):
        share = FRONTAL_WEIGHT if kind == FRONTAL else (1 - FRONTAL_WEIGHT) / others
        groups = np.unique(examples.groups[examples.kinds == kind])
        for group in groups:
            members = (examples.kinds == kind) & (examples.groups == group)
            weights[members] = share / len(groups) / members.sum()
    return weights


def _view(standard: Floats, examples: Examples) -> Floats:
    """AP against PA, each with as much weight in normal images as in pneumonias, so that the view is not the disease.

    All zeros where only one view is known, which tells nothing.
    """
    known = examples.frontal & (examples.views != "")
    is_ap, ill = examples.views[known] == "ap", examples.labels[known] == 1
    weight = np.zeros(POOLED + 1, np.float32)
    if not is_ap.any() or is_ap.all():
        return weight
    cells = 2 * is_ap + ill
    shares = 1 / np.bincount(cells, minlength=4).clip(1)
    model = LogisticRegression(C=VIEW_REGULARIZATION * len(cells), max_iter=300)
    model.fit(standard[known], is_ap, sample_weight=shares[cells] / shares[cells].sum())
    weight[:] = np.append(model.coef_[0], model.intercept_[0])
    return weight
