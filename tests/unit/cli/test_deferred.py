"""Modules that are loaded when they are first used."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from cli import deferred

NAME = "cli.made_for_this_test"


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """There is a module NAME of ours, which makes this file when it is loaded."""
    path = tmp_path / "loaded"
    (tmp_path / "made_for_this_test.py").write_text(f"open({str(path)!r}, 'x').close()\nVALUE = 7\n")
    monkeypatch.setattr("cli.__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    return path


def test_a_module_is_loaded_when_it_is_first_used(mark: Path) -> None:
    with deferred.imports():
        module = importlib.import_module(NAME)
    assert not mark.exists()
    assert module.VALUE == 7
    assert mark.exists()


def test_behind_the_block_imports_are_as_ever(mark: Path) -> None:
    with deferred.imports():
        pass
    importlib.import_module(NAME)
    assert mark.exists()


def test_the_modules_of_libraries_are_not_deferred() -> None:
    assert deferred._Finder().find_spec("json", None) is None
