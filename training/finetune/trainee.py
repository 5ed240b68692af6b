"""The network while it learns: a second target, and which of its layers learn how fast."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from model.resnet import FEATURES, GrayResNet
from training.finetune.schedule import LAYERS, FinetuneConfig, layer_rate


class Trainee(nn.Module):
    """The network while it learns, with a second head that tells viral from bacterial pneumonia."""

    def __init__(self, network: GrayResNet) -> None:
        super().__init__()
        self.network = network
        self.cause = nn.Linear(FEATURES, 1)

    def forward(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 (N, H, W) -> logits (N,) of pneumonia and of a virus."""
        body = self.network.body
        features = body.relu(body.bn1(body.conv1(self.network.normalise(gray))))
        features = body.layer1(body.maxpool(features))
        features = body.avgpool(body.layer4(body.layer3(body.layer2(features)))).flatten(1)
        return body.fc(features)[:, 0], self.cause(features)[:, 0]


def layer_of(parameter: str) -> str:
    """The layer that a parameter of a `Trainee` belongs to, by its name."""
    name = parameter.removeprefix("network.body.").split(".")[0]
    return {"bn1": "conv1", "cause": "fc"}.get(name, name)


def groups(trainee: nn.Module, config: FinetuneConfig) -> list[dict[str, Any]]:
    """Parameters by layer; vectors, which are biases and batch normalisation, do not decay."""
    parameter_groups: list[dict[str, Any]] = []
    for layer in LAYERS:
        members = [value for name, value in trainee.named_parameters() if layer_of(name) == layer]
        rate = layer_rate(config, layer)
        for decay, chosen in ((config.weight_decay, True), (0.0, False)):
            parameters = [value for value in members if (value.ndim > 1) == chosen]
            parameter_groups.append({"params": parameters, "lr": rate, "rate": rate, "weight_decay": decay})
    return parameter_groups


def unfreeze(trainee: nn.Module, first: str) -> None:
    """Let layer `first` and those above it learn."""
    learning = LAYERS[LAYERS.index(first) :]
    for name, parameter in trainee.named_parameters():
        parameter.requires_grad_(layer_of(name) in learning)
