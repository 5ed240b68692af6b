"""What a GPU computes, computed on a CPU: the fused network gives the answers of the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model import checkpoint
from model.checkpoint import Checkpoint
from model.engines.fused import FusedNetwork
from model.fuse import fuse
from model.output import NetworkOutput
from model.registry import DEFAULT
from tests.testing.factories import radiograph

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return checkpoint.load(DEFAULT)


@pytest.fixture(scope="module")
def gray() -> torch.Tensor:
    return torch.from_numpy(np.stack([radiograph(seed, size_px=(224, 224)) for seed in range(3)]))


@pytest.fixture(scope="module")
def expected(shipped: Checkpoint, gray: torch.Tensor) -> NetworkOutput[torch.Tensor]:
    with torch.inference_mode():
        return shipped.network.forward(gray)


def computed(shipped: Checkpoint, gray: torch.Tensor, dtype: torch.dtype) -> NetworkOutput[torch.Tensor]:
    network = FusedNetwork(fuse(shipped.network), CPU, dtype)
    with torch.inference_mode():
        planes = network.planes(len(gray) + 2)
        network.forward(gray.flip(2), planes[: len(gray)])  # nothing of an earlier batch stays in the planes
        return network.forward(gray, planes[: len(gray)])


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-4), (torch.float16, 2e-2)])
def test_it_agrees_with_the_network(
    shipped: Checkpoint,
    gray: torch.Tensor,
    expected: NetworkOutput[torch.Tensor],
    dtype: torch.dtype,
    close: float,
) -> None:
    assert shipped.ood is not None
    ours = computed(shipped, gray, dtype)
    assert ours.logits.sigmoid().tolist() == pytest.approx(expected.logits.sigmoid().tolist(), abs=close / 4)
    assert torch.allclose(ours.cam, expected.cam, atol=10 * close)
    scores = (shipped.ood.score(output.features.numpy()) for output in (ours, expected))
    assert next(scores) == pytest.approx(next(scores), abs=close)
