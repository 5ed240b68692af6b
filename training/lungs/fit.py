"""The lung network: its training on images with masks, and what it says of images."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.batches import in_batches
from training.lungs.network import MASK_PX, SIDE_PX, LungNetwork
from training.lungs.paint import harder
from training.progress import Progress, silent

BATCH_SIZE = 32
RATE = 4e-3
WEIGHT_DECAY = 1e-3


def fit(
    pixels: NDArray[np.uint8], masks: NDArray[np.bool_], *, steps: int, seed: int, progress: Progress = silent
) -> LungNetwork:
    """Train a new network on images uint8 (N, H, W) with masks (N, SIDE_PX, SIDE_PX) for a number of batches."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    gray = torch.cat([shrunk(torch.from_numpy(batch)) for batch in in_batches(pixels)])
    targets = torch.from_numpy(masks).float()
    network = LungNetwork().train()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.15)
    for step in range(steps):
        chosen = torch.randint(len(gray), (BATCH_SIZE,), generator=generator)
        loss = _loss(network, *harder(gray[chosen], targets[chosen], generator))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # untyped in torch
        optimizer.step()
        schedule.step()
        progress(step + 1, steps)
    return network.eval()


def predict(network: LungNetwork, pixels: NDArray[np.uint8], progress: Progress = silent) -> NDArray[np.float32]:
    """Images uint8 (N, H, W) -> probability of lung (N, MASK_PX, MASK_PX): the mean over image and mirror image."""
    means = []
    with torch.inference_mode():
        for batch in in_batches(pixels, progress):
            gray = shrunk(torch.from_numpy(batch))
            plain, mirrored = torch.sigmoid(network(gray)), torch.sigmoid(network(gray.flip(2))).flip(2)
            means.append(((plain + mirrored) / 2).numpy())
    return np.concatenate(means)


def shrunk(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W) -> float 0..1 (N, SIDE_PX, SIDE_PX)."""
    gray = pixels.float().div(255).unsqueeze(1)
    return functional.interpolate(gray, (SIDE_PX, SIDE_PX), mode="bilinear", antialias=True)[:, 0]


def dice(one: Tensor, other: Tensor) -> Tensor:
    """The overlap (N,) of probabilities (N, H, W); 1 where they are the same."""
    common = (one * other).sum((1, 2))
    return (2 * common + 1) / ((one**2).sum((1, 2)) + (other**2).sum((1, 2)) + 1)


def _loss(network: LungNetwork, gray: Tensor, targets: Tensor) -> Tensor:
    logits, targets = network(gray), functional.avg_pool2d(targets, SIDE_PX // MASK_PX)
    crossed = functional.binary_cross_entropy_with_logits(logits, targets)
    return crossed + (1 - dice(torch.sigmoid(logits), targets)).mean()
