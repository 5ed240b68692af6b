"""The backbone comes from a file whose keys fit, frozen, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import InvalidInput
from tests.unit.training.synthetic import write_backbone
from training import backbone


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backbone(tmp_path_factory.mktemp("weights") / "backbone.safetensors")


def test_weights_are_taken_and_frozen(file: Path) -> None:
    network, sha256 = backbone.load(file)
    assert torch.equal(network.body.conv1.weight, load_file(file)["conv1.weight"])
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training
    assert len(sha256) == 64


def test_a_head_in_the_file_is_ignored(file: Path, tmp_path: Path) -> None:
    whole = load_file(file) | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}
    save_file(whole, tmp_path / "whole.safetensors")
    assert backbone.load(tmp_path / "whole.safetensors")[1] == backbone.load(file)[1]


def test_hash_follows_the_weights(file: Path, tmp_path: Path) -> None:
    changed = load_file(file)
    changed["conv1.weight"] += 1
    save_file(changed, tmp_path / "changed.safetensors")
    assert backbone.load(tmp_path / "changed.safetensors")[1] != backbone.load(file)[1]


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_other_architectures(file: Path, tmp_path: Path, change: str) -> None:
    weights = load_file(file)
    if change == "missing":
        del weights["conv1.weight"]
    else:
        weights["conv1.weight" if change == "shape" else "layer9.weight"] = torch.zeros(2)
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(InvalidInput, match="ResNet-18"):
        backbone.load(tmp_path / "other.safetensors")


def test_no_weights_at_all(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for path in (tmp_path / "text", tmp_path / "missing"):
        with pytest.raises(InvalidInput, match="Cannot read the backbone"):
            backbone.load(path)
