"""Logits of a network that learns, or has learned, in one resolution."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model.resnet import GrayResNet
from training.batches import in_batches
from training.progress import Progress, silent


def resize(pixels: Tensor, size_px: int) -> Tensor:
    """Resize uint8 (N, H, W) on the CPU to (N, size, size), antialiased; images of that size stay as they are."""
    if pixels.shape[-1] == size_px:
        return pixels
    return functional.interpolate(pixels.unsqueeze(1), [size_px, size_px], mode="bilinear", antialias=True).squeeze(1)


def predict(
    network: GrayResNet, pixels: NDArray[np.uint8], size_px: int, precision: str, progress: Progress = silent
) -> NDArray[np.float32]:
    """Return raw logits float32 (N,) of uint8 (N, 224, 224), resized to `size_px` first."""
    device = next(network.parameters()).device
    network.eval()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        logits = [
            network.logits(resize(torch.from_numpy(batch), size_px).to(device)).float().cpu()
            for batch in in_batches(pixels, progress)
        ]
    return np.asarray(torch.cat(logits).numpy(), dtype=np.float32)
