"""How far a prediction moves when only the JPEG quality of a file changes. It should hardly move."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from imaging.decode import decode
from imaging.preprocess import preprocess
from model.loaded import LoadedModel
from training.augment import jpeg
from training.data.listing import CLASSES
from training.data.sources import items
from training.progress import Progress, silent

QUALITIES = (30, 45, 60, 75, 85, 95)


class Robustness(BaseModel):
    """Change of probability of originals re-encoded at each quality, against the file as it was."""

    model_config = ConfigDict(frozen=True)

    images: int
    mean_absolute_change: float
    mean_absolute_logit_change: float
    """The same in logits, where images that the model is sure of count too."""
    by_quality: dict[int, float]
    mean_change: dict[str, float]
    """By class, with its sign: a network that learned the compression moves NORMAL upwards."""
    decisions_changed: float
    """Share of re-encoded files that fall on the other side of the threshold."""


def measure(model: LoadedModel, source: Path, progress: Progress = silent) -> Robustness:
    """Re-encode every labelled image of a folder or .tar, at its own size, and compare the predictions.

    Raises:
        InvalidInput: `source` is neither.
        PneumoscreenError: one of its images cannot be decoded.
    """
    originals = sorted(items(source), key=lambda item: item.name)
    labels = np.array([item.label for item in originals])
    rows, thresholds = [], []
    for done, item in enumerate(originals, 1):
        predictions = model.predict(_variants(item.load()))
        rows.append(predictions.probability)
        thresholds.append(predictions.thresholds(model.threshold))
        progress(done, len(originals))
    return summarise(np.stack(rows).astype(np.float64), labels, np.stack(thresholds))


def summarise(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], threshold: float | NDArray[np.float64]
) -> Robustness:
    """Figures of probabilities (n, 1 + qualities), whose first column is the untouched file.

    `threshold` is that of all files, or that of each (n, 1 + qualities).
    """
    change = probabilities[:, 1:] - probabilities[:, :1]
    clipped = probabilities.clip(1e-6, 1 - 1e-6)
    logits = np.log(clipped / (1 - clipped))
    decisions = probabilities >= threshold
    return Robustness(
        images=len(probabilities),
        mean_absolute_change=float(np.abs(change).mean()),
        mean_absolute_logit_change=float(np.abs(logits[:, 1:] - logits[:, :1]).mean()),
        by_quality=dict(zip(QUALITIES, np.abs(change).mean(0).tolist(), strict=True)),
        mean_change={CLASSES[label]: float(change[labels == label].mean()) for label in np.unique(labels)},
        decisions_changed=float((decisions[:, 1:] != decisions[:, :1]).mean()),
    )


def _variants(data: bytes) -> NDArray[np.uint8]:
    gray = decode(data)
    return np.stack([preprocess(gray), *(preprocess(decode(jpeg.encode(gray, quality))) for quality in QUALITIES)])
