"""Fine-tuning on tiny images: it learns, stops early, freezes what it should, and goes on after an interruption."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import ConfigurationError
from model import resnet
from model.resnet import GrayResNet
from tests.unit.training.augment.test_loader import make_labelled
from training.augment.distort import DistortConfig
from training.augment.loader import LabelledImages
from training.finetune import trainee
from training.finetune.loop import Run
from training.finetune.predict import predict, resize
from training.finetune.schedule import FinetuneConfig, Stage
from training.finetune.trainee import Trainee
from training.loss import balanced_loss

CONFIG = FinetuneConfig(
    stages=(Stage(epochs=1, size_px=32, train_from="layer4"), Stage(epochs=2, size_px=32, train_from="conv1")),
    batch_size=8,
    learning_rate=1e-3,
    ema_decay=0.5,
    precision="float32",
    workers=0,
)
GENTLE = DistortConfig(gamma=(1, 1), contrast=(1, 1), brightness=0, equalise=0, cutout=0)
DATA = make_labelled(16, 24)


def make_network() -> GrayResNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return resnet.build()


def run(config: FinetuneConfig = CONFIG) -> Run:
    return Run(make_network(), config, GENTLE, seed=0)


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().float().flatten() for value in network.state_dict().values()])


def test_learns_and_tells_each_epoch(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    longer = CONFIG.model_copy(update={"stages": (Stage(epochs=5, size_px=32, train_from="conv1"),)})
    tuned = run(longer).fit(
        DATA, tmp_path / "s", validation=DATA, progress=lambda done, all_: steps.append((done, all_))
    )
    assert tuned.history[-1].validation_auc > 0.9
    assert tuned.history[-1].validation_loss < tuned.history[0].validation_loss
    assert [epoch.size_px for epoch in tuned.history] == [32] * 5
    assert steps == [(done, 20) for done in range(1, 21)]
    logits = predict(tuned.network, DATA.pixels, 32, "float32")
    assert logits[DATA.labels == 1].mean() > logits[DATA.labels == 0].mean()


def test_interrupted_goes_on_as_if_nothing_was(tmp_path: Path) -> None:
    straight = run().fit(DATA, tmp_path / "straight")
    run().fit(DATA, tmp_path / "state", epochs=2)
    resumed = run().fit(DATA, tmp_path / "state")
    assert torch.equal(weights(straight.network), weights(resumed.network))
    assert [epoch.train_loss for epoch in straight.history] == [epoch.train_loss for epoch in resumed.history]


def test_without_validation_keeps_the_last_epoch(tmp_path: Path) -> None:
    tuned = run().fit(DATA, tmp_path / "s")
    assert tuned.best_epoch == 3
    assert math.isnan(tuned.history[0].validation_loss)


def test_stops_early_and_goes_back_to_the_best(tmp_path: Path) -> None:
    """Validation labels turned round: the better it learns, the worse it gets."""
    wrong = LabelledImages(DATA.pixels, 1 - DATA.labels, DATA.causes, DATA.sources)
    config = CONFIG.model_copy(
        update={"stages": (Stage(epochs=9, size_px=32, train_from="conv1"),), "patience_epochs": 2}
    )
    tuned = run(config).fit(DATA, tmp_path / "s", validation=wrong)
    losses = [epoch.validation_loss for epoch in tuned.history]
    assert len(losses) == tuned.best_epoch + 2 < 9
    logits = predict(tuned.network, wrong.pixels, 32, "float32")
    assert balanced_loss(logits, wrong.labels) == pytest.approx(min(losses), rel=1e-3)


def test_too_few_images_for_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lower batch_size"):
        run(CONFIG.model_copy(update={"batch_size": 64})).fit(DATA, tmp_path / "s")


def test_lower_layers_stay_until_their_stage(tmp_path: Path) -> None:
    before = make_network().body
    after = run().fit(DATA, tmp_path / "s", epochs=1).network.body
    assert torch.equal(before.layer3[0].conv1.weight, after.layer3[0].conv1.weight)
    assert not torch.equal(before.layer4[0].conv1.weight, after.layer4[0].conv1.weight)


def test_trainee_agrees_with_the_network() -> None:
    network = make_network()
    pixels = torch.from_numpy(DATA.pixels[:2])
    with torch.inference_mode():
        assert torch.allclose(Trainee(network).eval()(pixels)[0], network.logits(pixels), atol=1e-5)


@pytest.mark.parametrize(
    ("parameter", "layer"),
    [("network.body.bn1.weight", "conv1"), ("network.body.layer2.0.conv1.weight", "layer2"), ("cause.bias", "fc")],
)
def test_layer_of_a_parameter(parameter: str, layer: str) -> None:
    assert trainee.layer_of(parameter) == layer


def test_resize_leaves_the_right_size_alone() -> None:
    pixels = torch.from_numpy(DATA.pixels)
    assert resize(pixels, 32) is pixels
    assert resize(pixels, 48).shape == (40, 48, 48)
