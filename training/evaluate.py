"""Figures of a model on labelled images, through the same predictor as in screening."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from sklearn import metrics

from model.engines import Predictor
from training.data import CLASSES
from training.progress import Progress, silent

BATCH = 32


class ClassFigures(BaseModel):
    """Precision, recall and F1 of one class, and how many images it has."""

    model_config = ConfigDict(frozen=True)

    precision: float
    recall: float
    f1: float
    images: int


class Figures(BaseModel):
    """What `measure` finds. `confusion` is [[true normal, false pneumonia], [false normal, true pneumonia]]."""

    model_config = ConfigDict(frozen=True)

    images: int
    threshold: float
    accuracy: float
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float
    auc: float
    sensitivity: float
    specificity: float
    brier: float
    per_class: dict[str, ClassFigures]
    confusion: list[list[int]]


def measure(labels: NDArray[np.int64], probabilities: NDArray[np.floating], threshold: float) -> Figures:
    """Figures of probabilities (n,) against labels (n,), 1 for pneumonia; both classes must occur."""
    decisions = (probabilities >= threshold).astype(np.int64)
    report = metrics.classification_report(labels, decisions, target_names=CLASSES, output_dict=True, zero_division=0)
    mean = report["weighted avg"]
    return Figures(
        images=len(labels),
        threshold=threshold,
        accuracy=float(report["accuracy"]),
        precision_weighted=mean["precision"],
        recall_weighted=mean["recall"],
        f1_weighted=mean["f1-score"],
        auc=float(metrics.roc_auc_score(labels, probabilities)),
        sensitivity=report["PNEUMONIA"]["recall"],
        specificity=report["NORMAL"]["recall"],
        brier=float(metrics.brier_score_loss(labels, probabilities)),
        per_class={name: _class_figures(report[name]) for name in CLASSES},
        confusion=metrics.confusion_matrix(labels, decisions).tolist(),
    )


def predict(predictor: Predictor, pixels: NDArray[np.uint8], progress: Progress = silent) -> NDArray[np.float32]:
    """Probabilities float32 (N,) of preprocessed images uint8 (N, 224, 224), in batches."""
    parts = []
    for start in range(0, len(pixels), BATCH):
        parts.append(predictor.predict(pixels[start : start + BATCH]).probability)
        progress(min(start + BATCH, len(pixels)), len(pixels))
    return np.concatenate(parts)


def _class_figures(row: dict[str, float]) -> ClassFigures:
    images = int(row["support"])
    return ClassFigures(precision=row["precision"], recall=row["recall"], f1=row["f1-score"], images=images)
