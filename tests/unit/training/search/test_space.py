"""What tuning changes of a configuration, and what it leaves."""

from __future__ import annotations

import optuna
import pytest

from training.augment.distort import DistortConfig
from training.config import TrainConfig
from training.search import space

VALUES = {
    "learning_rate": 1e-3, "head_rate": 2.0, "layer_decay": 0.5, "weight_decay": 0.012345678, "label_smoothing": 0.1,
    "ema_steps": 20.0, "batch_size": 16, "distortion": 1.0,
}  # fmt: skip


def test_values_arrive_and_the_rest_stays() -> None:
    base = TrainConfig(name="base", seed=3)
    tuned = space.apply(base, VALUES)
    assert (tuned.finetune.learning_rate, tuned.finetune.batch_size, tuned.finetune.ema_decay) == (1e-3, 16, 0.95)
    assert tuned.finetune.weight_decay == 0.01235
    assert (tuned.name, tuned.seed, tuned.finetune.stages) == ("base", 3, base.finetune.stages)
    assert tuned.distort == base.distort


def test_every_suggestion_is_a_valid_configuration() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        tuned = space.apply(TrainConfig(), space.suggest(study.ask(), images=800))
        assert 0.8 <= tuned.finetune.ema_decay < 1
        assert 0 < tuned.distort.crop_area[0] < tuned.distort.crop_area[1] == 1


def test_few_images_make_small_batches() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    assert {space.suggest(study.ask(), images=40)["batch_size"] for _ in range(9)} == {16}


@pytest.mark.parametrize(("strength", "gamma", "degrees"), [(0, (1, 1), 0), (0.5, (0.7746, 1.304), 6)])
def test_distortions_weaken(strength: float, gamma: tuple[float, float], degrees: float) -> None:
    weaker = space.strengthen(DistortConfig(), strength)
    assert (weaker.gamma, weaker.rotation_degrees) == (gamma, degrees)
    assert weaker.jpeg_quality == DistortConfig().jpeg_quality
