"""What tuning may change, and how far."""

from __future__ import annotations

from typing import Any, Final

from optuna import Trial

from training.augment.distort import DistortConfig
from training.config import TrainConfig

BATCH_SIZES = (16, 32, 64)

# How `distortion` acts on a field, whose value at strength 0 changes nothing: a factor is raised to that power, an
# amount is multiplied. Shares of images, sharpness and compression stay: they hide what would give classes away.
FACTORS: Final = ("crop_area", "crop_ratio", "gamma", "contrast")
AMOUNTS: Final = ("rotation_degrees", "shift", "brightness", "shading")


def suggest(trial: Trial, images: int) -> dict[str, float]:
    """One value for each parameter that is tuned, for epochs of so many images, which make at least two batches."""
    sizes = [size for size in BATCH_SIZES if 2 * size <= images] or BATCH_SIZES[:1]
    return {
        "learning_rate": trial.suggest_float("learning_rate", 3e-5, 3e-3, log=True),
        "head_rate": trial.suggest_float("head_rate", 1, 20, log=True),
        "layer_decay": trial.suggest_float("layer_decay", 0.4, 1),
        "weight_decay": trial.suggest_float("weight_decay", 1e-4, 0.2, log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", 0, 0.15),
        # Over how many steps the weights are averaged; their decay is 1 - 1 / ema_steps.
        "ema_steps": trial.suggest_float("ema_steps", 5, 300, log=True),
        "batch_size": trial.suggest_categorical("batch_size", sizes),
        "distortion": trial.suggest_float("distortion", 0.25, 1.5),
    }


def apply(base: TrainConfig, values: dict[str, float]) -> TrainConfig:
    """The configuration with those values (see `suggest`), to four significant digits, and all else as in `base`."""
    kept = {name: _round(value) for name, value in values.items()}
    batch_size, ema_steps, strength = int(kept.pop("batch_size")), kept.pop("ema_steps"), kept.pop("distortion")
    finetune = {**base.finetune.model_dump(), **kept, "batch_size": batch_size, "ema_decay": _round(1 - 1 / ema_steps)}
    changes = {"finetune": finetune, "distort": strengthen(base.distort, strength).model_dump()}
    return TrainConfig.model_validate({**base.model_dump(), **changes})


def strengthen(base: DistortConfig, strength: float) -> DistortConfig:
    """Position and exposure varied more or less; at strength 1 as in `base`, at 0 not at all."""
    changes: dict[str, Any] = {}
    for name in FACTORS:
        changes[name] = tuple(_round(bound**strength) for bound in getattr(base, name))
    for name in AMOUNTS:
        changes[name] = _round(getattr(base, name) * strength)
    return DistortConfig.model_validate({**base.model_dump(), **changes})


def _round(value: float) -> float:
    return float(f"{value:.4g}")
