"""One network trained by two processes, as on two GPUs: they end with the same weights, and with one state file."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from core.errors import ConfigurationError
from tests.unit.training.finetune.test_loop import CONFIG, DATA, GENTLE, make_network, weights
from training.finetune import devices, parallel
from training.finetune.loop import FineTuned, Run
from training.finetune.parallel import Job
from training.progress import Progress


class Watched(Job):
    """Each of its processes writes down the parameters that it ends with."""

    def run(self, fabric: Fabric, progress: Progress) -> FineTuned:
        run = Run(self.network, self.config, self.distortion, self.seed, fabric)
        tuned = run.fit(self.train, self.state, validation=self.validation, progress=progress)
        parameters = torch.cat([value.detach().flatten() for value in run._trainee.parameters()])
        torch.save(parameters, self.state.with_suffix(f".{fabric.global_rank}-of-{fabric.world_size}"))
        return tuned


@dataclass
class Trained:
    job: Job
    tuned: FineTuned
    steps: list[tuple[int, int]]

    def parameters(self, rank: str) -> torch.Tensor:
        found: torch.Tensor = torch.load(self.job.state.with_suffix(f".{rank}"))
        return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Three epochs; the second frees more layers than the first, over which data parallelism could stumble."""
    job = Watched(make_network(), CONFIG, GENTLE, 0, DATA, tmp_path_factory.mktemp("two") / "s", DATA)
    steps: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        return Trained(job, parallel.fit(job, lambda done, total: steps.append((done, total)), count=2), steps)


def test_processes_end_with_the_same_weights(trained: Trained) -> None:
    first, second = trained.parameters("0-of-2"), trained.parameters("1-of-2")
    assert torch.equal(first, second)
    start = torch.cat([value.flatten() for value in trained.job.network.parameters()])
    assert not torch.allclose(first[: len(start)], start)


def test_they_learn_as_one_process_does(trained: Trained, tmp_path: Path) -> None:
    """Each normalises its own half of a batch, so the figures are alike and not the same."""
    alone = replace(trained.job, state=tmp_path / "s").run(devices.fabric("float32", 1), lambda done, total: None)
    losses, its = trained.tuned.history, alone.history
    assert losses[-1].train_loss < 0.9 * losses[0].train_loss
    assert losses[-1].validation_auc > 0.9
    assert losses[0].train_loss == pytest.approx(its[0].train_loss, rel=0.3)
    assert [epoch.learning_rate for epoch in losses] == [epoch.learning_rate for epoch in its]


def test_the_first_tells_every_step(trained: Trained) -> None:
    assert trained.steps == [(done, 12) for done in range(1, 13)]


def test_what_they_learned_is_read_from_the_state_file(trained: Trained) -> None:
    assert torch.equal(trained.parameters("0-of-1"), trained.parameters("0-of-2"))
    saved = torch.load(trained.job.state, weights_only=True)
    kept = [value.float().flatten() for name, value in saved["average"].items() if name.startswith("module.network.")]
    assert torch.equal(torch.cat(kept), weights(trained.tuned.network))


def test_a_batch_too_small_to_share_is_refused(trained: Trained) -> None:
    with pytest.raises(ConfigurationError, match=r"4 devices share each batch.*set batch_size to 16 or more"):
        parallel.fit(trained.job, count=4)
