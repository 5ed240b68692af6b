"""What is kept of each epoch, for the curves."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """Figures after one pass over the data; nan where something was not measured, as without validation images."""

    train_loss: float
    validation_loss: float
    validation_auc: float = math.nan
    learning_rate: float = math.nan
    size_px: int = 224
