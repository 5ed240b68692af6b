"""What a GPU computes, computed on a CPU: the folded network gives the answers of the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model import checkpoint
from model.checkpoint import Checkpoint
from model.decision import Results
from model.engines.common import results
from model.engines.fused import FoldedNetwork
from model.fuse import fold
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
def expected(shipped: Checkpoint, gray: torch.Tensor) -> Results:
    with torch.inference_mode():
        return results(shipped.network.look(gray), shipped.domain)


def found(shipped: Checkpoint, gray: torch.Tensor, dtype: torch.dtype) -> Results:
    network = FoldedNetwork(fold(shipped.network), CPU, dtype)
    with torch.inference_mode():
        planes = network.planes(len(gray) + 2)
        network.look(gray.flip(2), planes[: len(gray)])  # nothing of an earlier batch stays in the planes
        return results(network.look(gray, planes[: len(gray)]), shipped.domain)


def test_in_float32_only_the_last_digits_differ(shipped: Checkpoint, gray: torch.Tensor, expected: Results) -> None:
    ours = found(shipped, gray, torch.float32)
    assert ours.probability == pytest.approx(expected.probability, abs=1e-5)
    assert ours.domain_score == pytest.approx(expected.domain_score, abs=1e-4)
    assert ours.cam == pytest.approx(expected.cam, abs=1e-2)


def test_half_precision_is_near(shipped: Checkpoint, gray: torch.Tensor, expected: Results) -> None:
    ours = found(shipped, gray, torch.float16)
    assert ours.probability == pytest.approx(expected.probability, abs=5e-3)
    assert ours.domain_score == pytest.approx(expected.domain_score, abs=2e-2)
    assert ours.cam == pytest.approx(expected.cam, abs=0.2)
