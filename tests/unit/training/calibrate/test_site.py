"""A site's operating point: from scores, by hand, and from a folder through the command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cli import model
from core import settings
from core.errors import InvalidInput
from model import checkpoint
from model.population import PopulationHead
from model.registry import Entry, Registry, all_shipped, shipped
from model.weights import FEATURES
from services import schema
from tests.testing.cards import POPULATIONS
from tests.unit.model.factories import make_card, make_network, save_model
from tests.unit.training.synthetic import write_dataset
from training.calibrate import site
from training.calibrate.site import Scores

commands = typer.Typer()
commands.add_typer(model.app, name="model")


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    save_model(tmp_path / "parent.safetensors", name="parent")
    return Registry(tmp_path / "models", shipped=(tmp_path / "parent.safetensors",)).primary()


def scores(shift: float = 0.0, each: int = 100, spread: float = 1.0) -> Scores:
    """Logits of as many normals around `shift` - 2 as pneumonias around `shift` + 2."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], each)
    logits = rng.normal(shift - 2 + 4 * labels, spread)
    return Scores(logits, logits >= 0, labels, np.array([f"p{number}" for number in range(2 * each)]), refused=0)


def test_the_point_moves_to_where_the_site_is(entry: Entry) -> None:
    """All logits are 3 higher than where the parent was made: its 0.5 calls nearly everything pneumonia."""
    proposal = site.propose(entry, scores(shift=3), "ward", platt=False)
    before, after = proposal.comparison.before, proposal.comparison.after
    assert before.specificity < 0.3
    assert after.specificity > 0.9
    assert after.sensitivity > 0.9
    assert proposal.card.operating_point.threshold == pytest.approx(1 / (1 + np.exp(-3)), abs=0.04)
    assert after.confusion[0][0] + after.confusion[0][1] == 100


def test_intervals_hold_the_figure(entry: Entry) -> None:
    after = site.propose(entry, scores(spread=2), "ward", platt=False).comparison.after
    for name, (low, high) in after.intervals.items():
        assert low <= getattr(after, name) <= high
        assert 0 < high - low < 0.2


def test_platt_centres_the_probability_and_keeps_the_decisions(entry: Entry) -> None:
    plain = site.propose(entry, scores(shift=3), "ward", platt=False)
    fitted = site.propose(entry, scores(shift=3), "ward", platt=True)
    assert fitted.comparison.after.confusion == plain.comparison.after.confusion
    assert fitted.card.operating_point.threshold == pytest.approx(0.5, abs=0.15)
    assert fitted.card.calibration.prior == 0.5
    assert plain.card.calibration == entry.card.calibration


def test_the_card_says_where_it_comes_from(entry: Entry) -> None:
    card = site.propose(entry, scores(), "ward", platt=False).card
    assert card.name == "ward"
    assert card.site is not None
    assert (card.site.parent_name, card.site.parent_sha256) == ("parent", entry.sha256)
    assert (card.site.images, card.site.patients, card.site.pneumonia) == (200, 200, 100)
    assert set(card.metrics) == {"site"}
    assert card.training_data == make_card().training_data


def test_calibration_is_folded_into_the_last_layer(entry: Entry, tmp_path: Path) -> None:
    proposal = site.propose(entry, scores(shift=3), "ward", platt=True)
    site.save(entry, proposal, tmp_path / "child.safetensors")
    parent, child = checkpoint.load(entry.path), checkpoint.load(tmp_path / "child.safetensors")
    assert proposal.platt is not None
    expected = parent.network.body.fc.weight * proposal.platt.slope
    assert child.network.body.fc.weight.numpy() == pytest.approx(expected.numpy(), abs=1e-3)
    assert child.network.body.conv1.weight.equal(parent.network.body.conv1.weight)


def test_labels_that_are_mixed_up_are_refused() -> None:
    made = scores()
    with pytest.raises(InvalidInput, match="mixed up"):
        site.recalibrate(Scores(made.logits, made.called, 1 - made.labels, made.patients, 0))


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: Entry) -> Iterator[Path]:
    """A service of its own, whose release came with `entry`; its folder of models, where nothing is put."""
    monkeypatch.setenv("PNEUMOSCREEN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("model.registry.DEFAULT", entry.path)
    monkeypatch.setattr("model.registry.SHIPPED", (entry.path,))
    monkeypatch.setattr("model.registry.Registry.__init__.__defaults__", ((entry.path,),))
    shipped.cache_clear()
    all_shipped.cache_clear()
    schema.upgrade(settings.load())
    yield tmp_path / "data" / "models"
    shipped.cache_clear()
    all_shipped.cache_clear()


def starred() -> str:
    """The line of the model that screens."""
    (line,) = [line for line in call("model", "list").splitlines() if line.startswith("*")]
    return line


def call(*arguments: object) -> str:
    result = CliRunner().invoke(commands, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_shows_saves_and_activates_only_when_asked(installation: Path, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "site", each=24, patients=24)
    shown = call("model", "calibrate", folder, "--name", "ward-3")
    assert "before" in shown
    assert "Nothing is activated yet" in shown
    assert starred().startswith("* parent")
    activated = call("model", "calibrate", folder, "--name", "ward-3b", "--platt", "--activate")
    assert "after, cross-validated" in activated
    assert starred().startswith("* ward-3b")
    assert {"ward-3", "ward-3b", "parent"} <= set(call("model", "list").split())


def test_too_few_images_of_a_class(installation: Path, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "site", each=5, patients=5)
    with pytest.raises(InvalidInput, match=r"NORMAL has images of 5 patients; .* at least 20"):
        call("model", "calibrate", folder)
    assert not installation.exists()


def test_what_sets_populations_apart_stays_and_the_threshold_is_the_sites(tmp_path: Path) -> None:
    """A network's logit of 1 is 2 * 1 - 1 = 1 on the adults' scale: the site's calibration was fitted to that."""
    head = PopulationHead(np.zeros(FEATURES + 1, np.float32))
    checkpoint.save(tmp_path / "m.safetensors", make_network(), make_card(populations=POPULATIONS), population=head)
    parent = Registry(tmp_path / "models", shipped=(tmp_path / "m.safetensors",)).primary()
    proposal = site.propose(parent, scores(shift=3), "ward", platt=True)
    moved, fitted = proposal.card.populations, proposal.platt
    assert moved is not None
    assert fitted is not None
    for network, adults in ((1.0, 1.0), (-1.0, -3.0)):
        folded = fitted.slope * network + fitted.intercept
        expected = fitted.slope * adults + fitted.intercept
        assert moved.adult.slope * folded + moved.adult.intercept == pytest.approx(expected)
    assert moved.adult.threshold == moved.child.threshold == proposal.card.operating_point.threshold
    assert moved.adult.measured is None
    site.save(parent, proposal, tmp_path / "ward.safetensors")
    assert checkpoint.load(tmp_path / "ward.safetensors").population is not None
