"""The class-balanced loss, by which both methods stop early."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def balanced_loss(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean cross-entropy of logits (..., n) against labels (n,), where both classes weigh the same."""
    predicted = torch.from_numpy(logits)
    truth = torch.from_numpy(labels).float().expand_as(predicted)
    return float(binary_cross_entropy_with_logits(predicted, truth, weight=class_weights(truth)))


def class_weights(labels: Tensor) -> Tensor:
    """Return weights of mean 1 under which both classes weigh the same."""
    share = labels.mean()
    return torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
