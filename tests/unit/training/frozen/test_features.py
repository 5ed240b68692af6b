"""Features are those of the backbone, are computed once, and are keyed by all that they depend on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model.resnet import GrayResNet, build
from training.frozen import features
from training.frozen.views import AugmentConfig


@pytest.fixture(scope="module")
def network() -> GrayResNet:
    torch.manual_seed(0)
    return build()


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, 224, 224), dtype=np.uint8)


def run(network: GrayResNet, pixels: NDArray[np.uint8], cache: Path, views: int = 1) -> features.Features:
    return features.extract(network, pixels, AugmentConfig(), views=views, seed=0, cache=cache)


def test_head_on_features_is_the_network(network: GrayResNet, pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    extracted = run(network, pixels, tmp_path)
    assert extracted.shape == (2, 3, 512)
    fc = network.body.fc
    with torch.inference_mode():
        expected = network.logits(torch.from_numpy(pixels)).numpy()
        assert fc(torch.from_numpy(extracted[0]))[:, 0].numpy() == pytest.approx(expected, abs=1e-4)
    assert not np.allclose(extracted[0], extracted[1])


def test_second_run_reads_the_cache(network: GrayResNet, pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    first = run(network, pixels, tmp_path)
    other_network = build()
    assert np.array_equal(run(other_network, pixels, tmp_path), first)


def test_interrupted_run_goes_on(
    network: GrayResNet, pixels: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "CHUNK", 2)
    whole = run(network, pixels, tmp_path / "whole")
    files = sorted((tmp_path / "whole").iterdir())
    assert [file.name for file in files] == [f"view{v}-{c:04d}.npy" for v in (0, 1) for c in (0, 1)]
    files[1].unlink()
    files[2].unlink()
    assert run(network, pixels, tmp_path / "whole") == pytest.approx(whole, abs=1e-5)


def test_more_views_keep_the_first(network: GrayResNet, pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    one = run(network, pixels, tmp_path)
    assert np.array_equal(run(network, pixels, tmp_path, views=2)[:2], one)


def test_progress(network: GrayResNet, pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    features.extract(
        network, pixels, AugmentConfig(), views=1, seed=0, cache=tmp_path, progress=lambda *step: seen.append(step)
    )
    assert seen == [(1, 2), (2, 2)]


def test_key_depends_on_everything() -> None:
    config = AugmentConfig()
    keys = {
        features.cache_key("backbone", "data", config, 0),
        features.cache_key("other", "data", config, 0),
        features.cache_key("backbone", "other", config, 0),
        features.cache_key("backbone", "data", config.model_copy(update={"flip": 0.0}), 0),
        features.cache_key("backbone", "data", config, 1),
    }
    assert len(keys) == 5
    assert features.cache_key("backbone", "data", AugmentConfig(), 0) in keys
