"""The mean of networks."""

from __future__ import annotations

import torch

from model import resnet
from training.finetune.soup import average


def make_network(seed: int) -> resnet.GrayResNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return resnet.build()


def test_weights_and_statistics_are_means() -> None:
    first, other = make_network(0), make_network(1)
    other.body.bn1.running_mean.fill_(2.0)
    soup = average([first, other])
    assert torch.allclose(soup.body.fc.weight, (first.body.fc.weight + other.body.fc.weight) / 2)
    assert soup.body.bn1.running_mean.tolist() == [1.0] * 64
    assert not soup.training
    assert not any(parameter.requires_grad for parameter in soup.parameters())


def test_one_alone_is_itself() -> None:
    only = make_network(3)
    soup = average([only])
    assert all(torch.equal(value, only.body.state_dict()[name]) for name, value in soup.body.state_dict().items())
