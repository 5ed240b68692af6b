"""Evidence outside the lungs costs, wherever the lungs lie on the copy; evidence inside and evidence against do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.unit.training.finetune.test_loop import CONFIG, DATA, GENTLE, make_network
from training.finetune.loop import Run
from training.finetune.pointing import Pointing, outside
from training.finetune.predict import resize
from training.finetune.schedule import Stage
from training.lungs.network import MASK_PX, LungNetwork

LEFT = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
"""Lungs that fill the left half."""


class LeftHalf(LungNetwork):
    """Says that the left half of every film is lung."""

    def forward(self, gray: Tensor) -> Tensor:
        return torch.where(torch.arange(MASK_PX) < MASK_PX // 2, 9.0, -9.0).expand(len(gray), MASK_PX, MASK_PX)


@pytest.mark.parametrize(
    ("cam", "share"),
    [
        ([[5.0, 0.0], [5.0, 0.0]], 0.0),
        ([[0.0, 5.0], [0.0, 5.0]], 10 / 11),
        ([[4.5, 4.5], [0.0, 0.0]], 4.5 / 10),
        ([[-9.0, -9.0], [-9.0, -9.0]], 0.0),
    ],
)
def test_the_share_of_positive_evidence_outside(cam: list[list[float]], share: float) -> None:
    assert outside(torch.tensor([cam]), LEFT).tolist() == pytest.approx([share])


def test_lungs_are_found_on_the_copy_and_brought_to_the_size_of_the_map() -> None:
    pixels = torch.zeros(1, 224, 224, dtype=torch.uint8)
    cam = torch.zeros(1, 4, 4)
    cam[0, 0, 0], cam[0, 0, 3] = 3.0, 1.0
    assert float(Pointing(LeftHalf())(pixels, cam)) == pytest.approx(1 / 5, abs=1e-3)


def evidence_outside(weight: float, folder: Path) -> float:
    config = CONFIG.model_copy(
        update={"lungs_weight": weight, "stages": (Stage(epochs=8, size_px=64, train_from="conv1"),)}
    )
    run = Run(make_network(), config, GENTLE, seed=0, lungs=LeftHalf())
    network = run.fit(DATA, folder / "s").network
    cam = network(resize(torch.from_numpy(DATA.pixels[DATA.labels == 1]), 64)).cam
    return float(cam.relu()[..., cam.shape[2] // 2 :].sum() / cam.relu().sum())


def test_training_moves_evidence_into_the_lungs(tmp_path: Path) -> None:
    free, pointed = (evidence_outside(weight, tmp_path / str(weight)) for weight in (0.0, 5.0))
    assert pointed < 0.7 * free
