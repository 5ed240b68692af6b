"""The ImageNet backbone: from a local file, or torchvision's own download."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import ResNet18_Weights

from core.errors import InvalidInput
from model import resnet


def load(file: Path | None, *, equalised: bool = False) -> tuple[resnet.GrayResNet, str]:
    """A frozen network with the backbone's weights and an untrained head, and the sha256 of those weights.

    Args:
        file: torchvision's keys without `fc.*` as safetensors; None downloads IMAGENET1K_V1.
        equalised: whether the network equalises tones first.

    Raises:
        InvalidInput: the file is missing, damaged, or no ResNet-18.
    """
    weights = _download() if file is None else _read(file)
    weights = {name: tensor for name, tensor in weights.items() if not name.startswith("fc.")}
    network = resnet.build(equalised=equalised)
    try:
        unmatched = network.body.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise InvalidInput(f"{file} does not hold the weights of a ResNet-18.") from error
    if set(unmatched.missing_keys) != {"fc.weight", "fc.bias"} or unmatched.unexpected_keys:
        raise InvalidInput(f"{file} does not hold the weights of a ResNet-18.")
    return network.requires_grad_(False), _digest(weights)


def _read(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise InvalidInput(f"Cannot read the backbone {file}: {error}.") from error


def _download() -> dict[str, Tensor]:
    weights: dict[str, Tensor] = ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
    return weights


def _digest(weights: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
