"""What the wheel holds, and what the web image can import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

WITHOUT_TORCH = ["core", "db", "web"]


def modules(root: Path, package: str) -> list[str]:
    """All modules of `package` that a process imports; Alembic alone runs the migrations."""
    files = [path for path in (root / package).rglob("*.py") if "migrations" not in path.parts]
    return sorted({".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for path in files})


def test_every_package_is_shipped(root: Path, pyproject: dict[str, Any]) -> None:
    on_disk = {path.parent.name for path in root.glob("*/__init__.py")} - {"tests", "benchmarks"}
    include = pyproject["tool"]["setuptools"]["packages"]["find"]["include"]

    assert {pattern.rstrip("*") for pattern in include} == on_disk


def test_package_data_names_what_is_there(root: Path, pyproject: dict[str, Any]) -> None:
    for package, patterns in pyproject["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            assert any((root / package).glob(pattern)), f"{package}: nothing matches {pattern}"


def test_python_versions_are_those_that_the_installer_looks_for(root: Path, pyproject: dict[str, Any]) -> None:
    supported = SpecifierSet(pyproject["project"]["requires-python"])
    script = (root / "scripts/find-python.sh").read_text()

    for minor in range(9, 16):
        assert (f"python3.{minor} " in script) is (f"3.{minor}" in supported), f"3.{minor}"


@pytest.mark.parametrize("package", [*WITHOUT_TORCH, "worker.sweeper", "cli.main", "model.registry"])
def test_imports_without_the_worker_extra(root: Path, package: str) -> None:
    """As in the web image: not even a module behind a module may need what only the worker has."""
    names = modules(root, package) if package in WITHOUT_TORCH else [package]
    absent = ["torch", "torchvision", "sklearn", "matplotlib"]
    code = f"import sys; sys.modules.update(dict.fromkeys({absent}))\nfor name in {names}: __import__(name)"

    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_licence_texts_are_shipped(root: Path, pyproject: dict[str, Any]) -> None:
    assert pyproject["project"]["license-files"] == ["LICENSE", "NOTICE"]
    assert "Apache License" in (root / "LICENSE").read_text()
    notice = (root / "NOTICE").read_text()
    assert all(name in notice for name in ("Valkey contributors", "Soumith Chintala", "10.17632/rscbjbr9sj"))
