"""Features of the frozen backbone, computed once and kept on disk.

The backbone is frozen, so each view of each image needs it only once: training a head on cached features takes
seconds, and an interrupted run goes on where it stopped. The cache is keyed by everything that went into it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.atomic import replacement
from model.resnet import GrayResNet
from training.frozen.views import AugmentConfig, augment, build_transform
from training.progress import Progress, silent

CHUNK = 256
"""Images in one file of the cache: what an interruption can cost."""

BATCH = 32

Features = NDArray[np.float32]


def cache_key(backbone_sha256: str, data_digest: str, config: AugmentConfig, seed: int) -> str:
    """What the features depend on, as 16 hex digits."""
    parts = [backbone_sha256, data_digest, config.model_dump_json(), str(seed), torch.__version__.split("+")[0]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def extract(
    network: GrayResNet,
    pixels: NDArray[np.uint8],
    config: AugmentConfig,
    *,
    views: int,
    seed: int,
    cache: Path,
    progress: Progress = silent,
) -> Features:
    """Pooled features float32 (1 + views, N, 512) of uint8 (N, 224, 224): first the plain images, then the views."""
    cache.mkdir(parents=True, exist_ok=True)
    transform = build_transform(config)
    starts = range(0, len(pixels), CHUNK)
    result: list[list[Features]] = []
    for number in range(1 + views):
        result.append([])
        for chunk, start in enumerate(starts):
            file = cache / f"view{number}-{chunk:04d}.npy"
            if not file.exists():
                images = torch.from_numpy(pixels[start : start + CHUNK])
                if number:
                    images = augment(images, transform, _seed(seed, number, chunk))
                _write(file, _forward(network, images))
            result[-1].append(np.load(file))
            progress(number * len(starts) + chunk + 1, (1 + views) * len(starts))
    return np.stack([np.concatenate(chunks) for chunks in result])


def _forward(network: GrayResNet, images: torch.Tensor) -> Features:
    device = next(network.parameters()).device
    head, network.body.fc = network.body.fc, nn.Identity()
    try:
        with torch.inference_mode():
            parts = [network.body(network.normalise(batch.to(device)).contiguous(memory_format=torch.channels_last))
                     for batch in torch.split(images, BATCH)]  # fmt: skip
    finally:
        network.body.fc = head
    return torch.cat(parts).float().cpu().numpy()


def _seed(seed: int, view: int, chunk: int) -> int:
    return int(np.random.SeedSequence([seed, view, chunk]).generate_state(1)[0])


def _write(file: Path, features: Features) -> None:
    with replacement(file) as draft, draft.open("wb") as out:
        np.save(out, features)
