"""A tiny labelled data set and a backbone with random weights, for training within seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import resnet18

from training.data.dataset import Dataset


def write_dataset(folder: Path, each: int = 20, patients: int = 12, size: int = 48) -> Path:
    """`each` images a class in train/; pneumonia is a brighter noise. Some patients have two images."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(["NORMAL", "PNEUMONIA"]):
        (folder / "train" / name).mkdir(parents=True)
        for number in range(each):
            patient = number % patients
            stem = f"person{patient}_virus_{number}" if label else f"IM-{patient:04d}-{number:04d}"
            pixels = rng.normal(90 + 60 * label, 25, (size, size)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "train" / name / f"{stem}.png")
    return folder


def write_backbone(file: Path) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = resnet18(weights=None).state_dict()
    save_file({name: tensor for name, tensor in weights.items() if not name.startswith("fc.")}, file)
    return file


def make_dataset(labels: list[int], patients: list[str]) -> Dataset:
    count = len(labels)
    return Dataset(
        names=[f"{index}.png" for index in range(count)],
        patients=patients,
        labels=np.array(labels, dtype=np.int64),
        causes=np.full(count, -1, dtype=np.int64),
        pixels=np.zeros((count, 224, 224), np.uint8),
        duplicates=0,
        sources=["somewhere"] * count,
        views=[""] * count,
        ages_years=np.full(count, np.nan),
    )
