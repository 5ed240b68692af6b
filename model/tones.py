"""Gray values by their rank: what a device's tone curve, a window or an exposure changes is taken back."""

from __future__ import annotations

import torch
from torch import Tensor

EDGE_SHARE = 16
"""One part in so many of each side does not count: margins, collimation and markers lie there."""
BLACK_LEVELS = 3
"""So many gray levels from the darkest one count as black: no film was exposed there, and their share says nothing."""


def equalise(gray: Tensor) -> Tensor:
    """uint8 (N, H, W) -> uint8 (N, H, W) in which all gray values of the middle are about equally frequent.

    A value becomes the share of pixels that are darker, and half of those that are as dark (histogram equalisation,
    Gonzalez and Woods, Digital Image Processing, 3.3.1). So any rising curve of tones, applied before, changes nothing
    but what it clips. An image of one gray value stays as it is.
    """
    top, left = (side // EDGE_SHARE for side in gray.shape[1:])
    middle = gray[:, top : gray.shape[1] - top, left : gray.shape[2] - left].flatten(1).long()
    counts = torch.zeros(len(gray), 256, device=gray.device)
    counts.scatter_add_(1, middle, torch.ones_like(middle, dtype=counts.dtype))
    levels = torch.arange(256, device=gray.device)
    darkest = (counts > 0).float().argmax(1, keepdim=True)
    counts = counts * (levels >= darkest + BLACK_LEVELS)
    total = counts.sum(1, keepdim=True)
    ranks = ((counts.cumsum(1) - counts / 2) / total.clamp_min(1) * 255).round()
    curves = torch.where(total > 0, ranks, levels).to(torch.uint8)
    return curves.gather(1, gray.flatten(1).long()).view(gray.shape)
