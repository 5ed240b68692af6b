"""A short run of the coverage-guided fuzzer; `make fuzz` runs it longer."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path

import pytest

from core.errors import PneumoscreenError
from imaging.decode import decode
from tests.fuzz.__main__ import fuzz
from tests.fuzz.seeds import seeds

SECONDS = 8
FEWEST = 500
"""Executions in that time on the slowest machine; a usual one does 50,000."""


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has wheels for Linux on x86-64 only")
def test_nothing_is_found(tmp_path: Path) -> None:
    outcome = fuzz(tmp_path, seconds=SECONDS)
    assert outcome.findings == [], outcome.output[-4000:]
    assert outcome.executions > FEWEST, outcome.output[-4000:]


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has wheels for Linux on x86-64 only")
def test_a_decoder_that_fails_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run can fail: with a broken decoder it does, at once, and keeps the file."""
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = fuzz(tmp_path / "fuzz", seconds=SECONDS)
    (finding,) = outcome.findings
    assert finding.name.startswith("crash-")
    assert "a bug of the test" in outcome.output


BROKEN = """
import imaging.segments


def broken(data, first_scan):
    raise RuntimeError("a bug of the test")


imaging.segments.jpeg_scans = broken
"""


def test_most_seeds_decode() -> None:
    decoded = 0
    for data in seeds():
        with contextlib.suppress(PneumoscreenError):
            decoded += decode(data).ndim == 2
    assert decoded > len(seeds()) / 2
