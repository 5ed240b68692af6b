"""The network while it learns: a second target, and which of its layers learn how fast."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from model.resnet import FEATURES, GrayResNet
from training.finetune.schedule import LAYERS, FinetuneConfig, layer_rate


class Learning(NamedTuple):
    """Logits (N,) of pneumonia and of a virus, and the map (N, h, w) whose mean the first is."""

    logits: Tensor
    causes: Tensor
    cam: Tensor


class Trainee(nn.Module):
    """The network while it learns, with a second head that tells viral from bacterial pneumonia."""

    def __init__(self, network: GrayResNet) -> None:
        super().__init__()
        self.network = network
        self.cause = nn.Linear(FEATURES, 1)

    def forward(self, gray: Tensor) -> Learning:
        """uint8 (N, H, W) -> what the losses are made of."""
        body = self.network.body
        features = body.relu(body.bn1(body.conv1(self.network.normalise(gray))))
        features = body.layer1(body.maxpool(features))
        last = body.layer4(body.layer3(body.layer2(features)))
        pooled = last.mean((2, 3))
        cam = functional.conv2d(last, body.fc.weight[:, :, None, None], body.fc.bias)[:, 0]
        return Learning(body.fc(pooled)[:, 0], self.cause(pooled)[:, 0], cam)


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
