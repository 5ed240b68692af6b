"""A small U-Net (Ronneberger et al. 2015): an image to the probability that each place is lung."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE_PX = 112
"""Of the images it reads."""
MASK_PX = SIDE_PX // 2
"""Of what it says: four neighbouring pixels become the channels of one, which is a quarter of the work."""
WIDTHS = (8, 16, 32, 64)


class LungNetwork(nn.Module):
    """float (N, SIDE_PX, SIDE_PX), any scale -> logits (N, MASK_PX, MASK_PX)."""

    def __init__(self) -> None:
        super().__init__()
        into = (4, *WIDTHS[:-1])
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(into, WIDTHS, strict=True))
        self.up = nn.ModuleList(_block(a + b, b) for a, b in zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))
        self.last = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, gray: Tensor) -> Tensor:
        mean, spread = gray.mean((1, 2), keepdim=True), gray.std((1, 2), keepdim=True)
        value = functional.pixel_unshuffle(((gray - mean) / (spread + 1e-3)).unsqueeze(1), 2)
        passed: list[Tensor] = []
        for level, block in enumerate(self.down):
            value = block(functional.max_pool2d(value, 2) if level else value)
            passed.append(value)
        for block, beside in zip(self.up, passed[-2::-1], strict=True):
            value = functional.interpolate(value, size=beside.shape[2:], mode="bilinear")
            value = block(torch.cat([value, beside], 1))
        logits: Tensor = self.last(value)[:, 0]
        return logits


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (channels_in, channels_out):
        layers += [
            nn.Conv2d(before, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)
