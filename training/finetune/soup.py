"""One network from several: the mean of their weights (model soup, Wortsman et al. 2022, arXiv:2203.05482).

Networks that were fine-tuned from the same weights on different batches lie in one basin of the loss, so their mean
is about as good as their ensemble and costs one forward pass. That is not guaranteed, so the out-of-fold figures are
measured on such means.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model import resnet
from model.resnet import GrayResNet


def average(networks: Sequence[GrayResNet]) -> GrayResNet:
    """The mean of weights and of batch statistics, ready for inference, on the CPU."""
    states = [network.body.state_dict() for network in networks]
    soup = resnet.build(equalised=networks[0].equalised)
    soup.body.load_state_dict({name: _mean([state[name].cpu() for state in states]) for name in states[0]})
    return soup.requires_grad_(False)


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    """Counters of batches, the only integers, are alike in all."""
    return torch.stack(list(tensors)).mean(0) if tensors[0].is_floating_point() else tensors[0]
