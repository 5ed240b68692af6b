"""A loss under which a network's map points into the lungs.

The map is exact: its mean is the logit. So what lies outside the lungs moves the result as much as what lies inside,
and a network that is free takes what it finds there: print, arms, the way a hospital crops. The right place is known
only roughly, from a small network (training/lungs/), which is enough to make evidence elsewhere expensive.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.lungs.fit import shrunk
from training.lungs.network import LungNetwork


class Pointing(nn.Module):
    """`lungs` finds the lungs on the very copies that the network learns from, wherever distortion has put them."""

    def __init__(self, lungs: LungNetwork) -> None:
        super().__init__()
        self.lungs = lungs.eval().requires_grad_(False)

    def forward(self, pixels: Tensor, cam: Tensor) -> Tensor:
        """uint8 (N, H, W) and their maps float (N, h, w) -> the mean share of positive evidence outside the lungs."""
        with torch.no_grad():
            lungs = torch.sigmoid(self.lungs(shrunk(pixels).to(cam.device)))
        height, width = cam.shape[1:]
        return outside(cam, functional.adaptive_avg_pool2d(lungs.unsqueeze(1), (height, width))[:, 0]).mean()


def outside(cam: Tensor, lungs: Tensor) -> Tensor:
    """Of maps (N, h, w) and the share of lung in each of their cells: the share (N,) of positive evidence elsewhere.

    A map with little evidence counts less: one is added to its mass.
    """
    positive = cam.relu()
    elsewhere: Tensor = (positive * (1 - lungs)).sum((1, 2)) / (positive.sum((1, 2)) + 1)
    return elsewhere
