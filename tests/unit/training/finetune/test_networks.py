"""Who is trained on whom, what is kept, and that no network predicts what it saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.unit.training.augment.test_loader import make_labelled
from tests.unit.training.finetune.test_loop import CONFIG, GENTLE, make_network
from training.augment.distort import DistortConfig
from training.augment.loader import LabelledImages
from training.augment.restyle import RestyleConfig
from training.finetune import networks
from training.finetune.loop import Run
from training.finetune.schedule import FinetuneConfig, Polish, Stage
from training.finetune.soup import average
from training.finetune.soup_trainer import Logits, Soup, SoupTrainer

FOLDS = np.arange(40) % 10
DATA = make_labelled(16, 24, side_px=224)
SHORT: FinetuneConfig = CONFIG.model_copy(
    update={"stages": (Stage(epochs=1, size_px=32, train_from="layer4"),), "seeds": 2}
)
VIEWS = ("out_of_fold", "out_of_fold_copies", "out_of_fold_reframed", "out_of_fold_crossed")
NAMES = ("final", "group0", "group1", "group2")
RESTYLED: DistortConfig = GENTLE.model_copy(update={"restyle": RestyleConfig(share=0.5)})


def make_trainer(folder: Path) -> SoupTrainer:
    return SoupTrainer(folder, make_network(), SHORT, RESTYLED, 0, lambda stage, done, total: None)


def test_groups_follow_the_parts() -> None:
    group = networks.groups(np.arange(10), 3)
    assert group.tolist() == [1, 1, 1, 1, 2, 2, 2, 0, 0, -1]


def test_key_depends_on_what_matters() -> None:
    def key(**changes: object) -> str:
        return networks.cache_key("backbone", "data", SHORT.model_copy(update=changes), GENTLE, 0)

    assert key() == key(workers=3, seeds=5, oof_seeds=1)
    assert key() != key(learning_rate=1.0)


def test_develop_keeps_every_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = networks.develop(make_trainer(tmp_path), DATA, FOLDS, 3)
    assert {file.name for file in tmp_path.iterdir()} == {
        *(f"{name}-seed{n}.{kind}" for name in NAMES for n in (0, 1) for kind in ("json", "safetensors")),
        *(f"{name}-seed{n}.npy" for name in NAMES if name != "final" for n in (0, 1)),
        *(f"{name}-mean2-{view}.npy" for name in NAMES if name != "final" for view in VIEWS),
    }
    assert (first.out_of_fold.shape, first.by_seed.shape) == ((4, 36), (2, 36))
    assert first.views == VIEWS
    assert len({row.tobytes() for row in (*first.out_of_fold, *first.by_seed)}) == 6
    monkeypatch.setattr(Run, "fit", lambda *_args, **_more: pytest.fail("trained again"))
    again = networks.develop(make_trainer(tmp_path), DATA, FOLDS, 3)
    assert np.array_equal(first.out_of_fold, again.out_of_fold)
    assert torch.equal(first.final.body.fc.weight, again.final.body.fc.weight)
    assert first.history == again.history


def test_networks_that_only_predict_may_have_fewer_seeds(tmp_path: Path) -> None:
    config = SHORT.model_copy(update={"oof_seeds": 1})
    trainer = SoupTrainer(tmp_path, make_network(), config, GENTLE, 0, lambda stage, done, total: None)
    trained = networks.develop(trainer, DATA, FOLDS, 3)
    assert trained.by_seed.shape == (1, 36)
    weights = {file.stem for file in tmp_path.glob("*.safetensors")}
    assert weights == {"final-seed0", "final-seed1", "group0-seed0", "group1-seed0", "group2-seed0"}


def test_the_second_cycle_starts_from_the_mean_of_the_first(tmp_path: Path) -> None:
    polish = Polish(epochs=2, size_px=48, train_from="fc", rate=0.1)
    config = SHORT.model_copy(update={"polish": polish})
    trainer = SoupTrainer(tmp_path, make_network(), config, GENTLE, 0, lambda stage, done, total: None)
    soup = trainer.train("one", DATA, validation=DATA)
    assert {file.stem for file in tmp_path.iterdir()} == {"one-seed0", "one-seed1", "one-mean2"}
    assert [epoch.size_px for epoch in soup.history] == [32, 48, 48]
    assert soup.best_epoch == 1
    mean = average(soup.members).body.state_dict()
    body = soup.network.body.state_dict()
    assert torch.equal(mean["layer4.0.conv1.weight"], body["layer4.0.conv1.weight"])
    assert not torch.equal(mean["fc.weight"], body["fc.weight"])
    assert trainer.train("one", DATA, validation=DATA).history == soup.history


def test_seeds_start_alike_and_see_other_batches(tmp_path: Path) -> None:
    members = make_trainer(tmp_path).train("one", DATA).members
    first, other = (member.body.state_dict() for member in members)
    assert torch.equal(first["conv1.weight"], other["conv1.weight"])  # the stage trains layer4 and what follows
    assert not torch.equal(first["fc.weight"], other["fc.weight"])


class Recorder(SoupTrainer):
    """Trains nothing; remembers what it was asked, and predicts the first pixel."""

    def __init__(self) -> None:
        self.asked: dict[str, tuple[set[int], set[int], int | None]] = {}

    def out_of_fold(self) -> Recorder:
        return self

    def train(
        self, name: str, train: LabelledImages, validation: LabelledImages | None = None, epochs: int | None = None
    ) -> Soup:
        self.asked[name] = numbers(train), set() if validation is None else numbers(validation), epochs
        return Soup(make_network(), [], 7, [])

    def logits(self, name: str, soup: Soup, data: LabelledImages) -> Logits:
        assert not self.asked[name][0] & numbers(data)
        row = data.pixels[:, 0, 0].astype(np.float32)
        return Logits({"out_of_fold": row}, row[None])


def numbers(data: LabelledImages) -> set[int]:
    return set(data.pixels[:, 0, 0].tolist())


def test_nobody_sees_the_test_part_or_predicts_what_it_saw() -> None:
    pixels = np.arange(40, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 2), np.uint8)
    recorder = Recorder()
    found = networks.develop(recorder, LabelledImages(pixels, DATA.labels, DATA.causes, DATA.sources), FOLDS, 3)
    known = {number for number in range(40) if number % 10 != 9}
    assert found.out_of_fold[0].tolist() == sorted(known)
    assert recorder.asked["final"] == (known, set(), 7)
    assert recorder.asked["group0"] == ({n for n in known if n % 10 < 7}, {n for n in known if n % 10 >= 7}, None)
    assert all(seen < known for name, (seen, _, _) in recorder.asked.items() if name != "final")
