"""The command: which rows, what is kept, what it says when something cannot be measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import gpu, history_row, images, results
from benchmarks.peers import catalogue
from benchmarks.rows import Row, Setup
from tests.testing import factories

FEW = images.Images("two made ones", (factories.jpeg(1), factories.jpeg(2)))


def setup(tmp_path: Path, said: list[str]) -> Setup:
    return Setup(FEW, repeats=2, count=16, say=said.append, build=tmp_path)


def test_peers_that_are_asked_for_take_turns_in_one_phase() -> None:
    names = [name for name, _ in bench.plan(["ray", "decode", "litserve"], on_gpu=False)]

    assert names == ["decode", "litserve, ray"]


def test_a_gpu_has_rows_of_its_own() -> None:
    assert [name for name, _ in bench.plan(bench.names(on_gpu=True), on_gpu=True)] == list(gpu.ROWS)


def test_an_unknown_row_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.parse(["--rows", "decode,nonsense"])

    assert ended.value.code == 2
    assert "no row nonsense; there are decode, forward" in capsys.readouterr().err


def test_what_cannot_be_measured_stops_nothing_and_is_told(tmp_path: Path) -> None:
    said: list[str] = []

    def broken(_: Setup) -> dict[str, Row]:
        raise history_row.NotThere("measure it first")

    def sound(_: Setup) -> dict[str, Row]:
        row = Row()
        row.add("ratio", 2.0)
        return {"sound": row}

    measured = results.Results()
    phases = [("broken", broken), ("sound", sound)]
    problems = bench.measure_all(phases, setup(tmp_path, said), measured, tmp_path / "bench.json")

    assert problems == ["broken: measure it first"]
    assert list(results.load(tmp_path / "bench.json").rows) == ["sound"]
    assert said[0] == "[1/2] broken"


def test_without_a_gpu_it_says_so_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    assert bench.main(["--gpu", "--json", str(tmp_path / "gpu.json")]) == 2
    assert "finds no CUDA device" in capsys.readouterr().err
    assert not (tmp_path / "gpu.json").exists()


def test_rows_of_small_counts_are_measured_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "xrays"
    folder.mkdir()
    for seed in range(2):
        (folder / f"{seed}.jpg").write_bytes(factories.jpeg(seed))
    arguments = ["--images", str(folder), "--count", "16", "--repeats", "2", "--json", str(tmp_path / "bench.json")]

    status = bench.main([*arguments, "--rows", "decode"])

    shown = capsys.readouterr().out
    row = results.load(tmp_path / "bench.json").rows["decode"]
    assert status == 0
    assert "| decode to 224 x 224 over plain Pillow | ≥ 1.8 |" in shown
    assert "| whole service over LitServe | ≥ 2.5 | not measured |" in shown
    assert row.figures["ours_images_per_s"].low > 0
    assert row.figures["decisions_changed"].values == (0,)


@pytest.mark.parametrize("peer", [peer.name for peer in catalogue.PEERS])
def test_each_peer_has_a_server_and_requirements(peer: str) -> None:
    folder = Path(bench.__file__).parent / "peers" / peer

    assert (folder / "server.py").exists()
    assert catalogue.BY_NAME[peer].environment_of is None or (folder / "requirements.txt").exists()
