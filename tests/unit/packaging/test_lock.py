"""requirements.lock: complete, exact, and free of addresses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


@pytest.fixture(scope="module")
def lock(root: Path) -> list[Requirement]:
    return [Requirement(line) for line in (root / "requirements.lock").read_text().splitlines()]


def test_every_line_is_one_exact_version(lock: list[Requirement]) -> None:
    assert lock
    for requirement in lock:
        (specifier,) = requirement.specifier
        assert specifier.operator == "==", requirement
        assert requirement.url is None, requirement


def test_names_no_address(root: Path) -> None:
    assert not re.search(r"://|--|@", (root / "requirements.lock").read_text())


def test_has_every_dependency_in_its_range(lock: list[Requirement], pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    wanted = [Requirement(line) for line in [*project["dependencies"], *extras]]
    locked: dict[str, list[Version]] = {}
    for requirement in lock:
        version = Version(next(iter(requirement.specifier)).version)
        locked.setdefault(canonicalize_name(requirement.name), []).append(version)

    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        if name == project["name"]:
            continue
        assert name in locked, f"run `make lock`: {name} is missing"
        assert all(version in requirement.specifier for version in locked[name]), f"run `make lock`: {requirement}"


def test_each_python_gets_one_version(lock: list[Requirement]) -> None:
    for minor in ("3.11", "3.12", "3.13"):
        environment = {"python_version": minor, "python_full_version": f"{minor}.9", "sys_platform": "linux"}
        chosen = [r.name for r in lock if r.marker is None or r.marker.evaluate(environment)]
        assert len(chosen) == len(set(chosen)), minor
        assert {"torch", "torchvision", "numpy"} <= set(chosen), minor


def test_torch_and_torchvision_are_a_pair(lock: list[Requirement]) -> None:
    versions = {r.name: Version(next(iter(r.specifier)).version) for r in lock}

    # torchvision 0.N was always built for torch 2.(N - 15); another pair does not import.
    assert versions["torchvision"].minor == versions["torch"].minor + 15
