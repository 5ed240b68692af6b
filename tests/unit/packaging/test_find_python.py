"""scripts/find-python.sh: finds a Python that will do, or says in one sentence what is wrong."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

Answer = tuple[int, str, str]


class Machine:
    """A PATH on which only the Pythons we put there exist."""

    def __init__(self, script: Path, folder: Path) -> None:
        self.script = script
        self.bin = folder
        for tool in ("sh", "cat"):
            (folder / tool).symlink_to(str(shutil.which(tool)))

    def add(self, name: str, version: str, *, bits: int = 64, has_venv: bool = True) -> Path:
        """A program that answers the script's two questions as the Python `version` would."""
        body = f"""case "$2" in
            *ensurepip*) exit {0 if has_venv else 1} ;;
            *) echo "{version} {1 if bits == 64 else 0}" ;;
        esac"""
        return self._program(name, body)

    def add_broken(self, name: str) -> None:
        """What a version manager leaves on PATH for a Python that it has not."""
        self._program(name, f"echo '{name}: command not found' >&2; exit 127")

    def find(self, python: str = "") -> Answer:
        done = subprocess.run(
            [self.script], env={"PATH": str(self.bin), "PYTHON": python}, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    def _program(self, name: str, body: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path


@pytest.fixture
def machine(root: Path, tmp_path: Path) -> Machine:
    return Machine(root / "scripts/find-python.sh", tmp_path)


def said(answer: Answer) -> str:
    """The one sentence of a refusal."""
    status, out, err = answer
    assert status == 1
    assert out == ""
    assert err.startswith("pneumoscreen: ")
    assert "\n" not in err
    return err.removeprefix("pneumoscreen: ")


def test_prefers_the_newest(machine: Machine) -> None:
    machine.add("python3.11", "3.11")
    newest = machine.add("python3.13", "3.13")

    assert machine.find() == (0, str(newest), "")


def test_takes_plain_python3_if_it_will_do(machine: Machine) -> None:
    python = machine.add("python3", "3.12")

    assert machine.find() == (0, str(python), "")


def test_passes_over_a_shim_that_does_not_run(machine: Machine) -> None:
    machine.add_broken("python3.13")
    python = machine.add("python3.11", "3.11")

    assert machine.find() == (0, str(python), "")


def test_passes_over_one_that_is_too_new(machine: Machine) -> None:
    machine.add("python3", "3.14")
    python = machine.add("python3.12", "3.12")

    assert machine.find() == (0, str(python), "")


def test_says_that_there_is_none(machine: Machine) -> None:
    assert said(machine.find()).startswith("no Python found; install Python 3.11, 3.12 or 3.13")


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("2.7", "is Python 2.7, which is too old"),
        ("3.9", "is Python 3.9, which is too old"),
        ("3.10", "is Python 3.10, which is too old"),
        ("3.14", "is Python 3.14, which is too new"),
        ("4.0", "is Python 4.0, which is too new"),
    ],
)
def test_says_what_is_wrong_with_the_only_one(machine: Machine, version: str, problem: str) -> None:
    python = machine.add("python3", version)

    sentence = said(machine.find())

    assert sentence.startswith(f"{python} {problem}")
    assert "install Python 3.11, 3.12 or 3.13" in sentence


def test_says_that_32_bits_will_not_do(machine: Machine) -> None:
    machine.add("python3", "3.11", bits=32)

    assert "32-bit" in said(machine.find())


def test_says_how_to_get_venv_on_debian(machine: Machine) -> None:
    machine.add("python3", "3.11", has_venv=False)

    assert "apt-get install python3-venv (or python3.11-venv)" in said(machine.find())


def test_takes_the_one_it_is_told_to(machine: Machine) -> None:
    machine.add("python3.13", "3.13")
    told = machine.add("my python", "3.12")

    assert machine.find(python=str(told)) == (0, str(told), "")


def test_refuses_the_one_it_is_told_to_if_it_is_wrong(machine: Machine) -> None:
    machine.add("python3.13", "3.13")
    told = machine.add("old", "3.8")

    assert said(machine.find(python=str(told))).startswith(f"PYTHON={told} is Python 3.8, which is too old")


def test_refuses_one_that_does_not_exist(machine: Machine) -> None:
    machine.add("python3.13", "3.13")

    assert said(machine.find(python="nowhere")).startswith("PYTHON=nowhere does not run")
