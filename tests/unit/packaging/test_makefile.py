"""The Makefile explains itself, and installs only when something changed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TARGETS = {
    "help",
    "install",
    "run",
    "test",
    "lint",
    "format",
    "types",
    "faults",
    "pictures",
    "fuzz",
    "audit",
    "bench",
    "bench-gpu",
    "docs",
    "lock",
    "clean",
}

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(folder: Path, *arguments: str) -> str:
    # A `make test` above us would pass its own flags and level on.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A copy of what `make install` looks at, with an installer that only tells that it ran."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(root / name, tmp_path / name)
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "find-python.sh").touch()
    (scripts / "install.sh").write_text(
        "#!/bin/sh\necho installing\nmkdir -p .venv/bin\n"
        'echo "VIRTUAL_ENV=$PWD/.venv" > .venv/bin/activate\n'
        f"ln -sf {shutil.which('true')} .venv/bin/python\n"
    )
    (scripts / "install.sh").chmod(0o755)
    return tmp_path


def test_help_is_the_default_and_lists_every_target(root: Path) -> None:
    listed = set(re.findall(r"^  make (\S+) +\S", make(root), re.MULTILINE))

    assert listed == TARGETS
    assert make(root, "help") == make(root)


def test_every_phony_target_has_a_rule_with_help(root: Path) -> None:
    text = (root / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: ([a-z -]+)$", text, re.MULTILINE)

    assert set(phony.split()) == TARGETS
    assert set(re.findall(r"^([a-z-]+):.* ## \S", text, re.MULTILINE)) == TARGETS


@pytest.mark.parametrize("target", sorted(TARGETS - {"help", "install", "clean"}))
def test_everything_installs_first(root: Path, target: str) -> None:
    rules = (root / "Makefile").read_text()

    assert re.search(rf"^{target}: install\b", rules, re.MULTILINE)


def test_second_install_does_nothing(checkout: Path) -> None:
    assert "installing" in make(checkout, "install")
    assert "installing" not in make(checkout, "install")


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_changed_dependencies_install_again(checkout: Path, name: str) -> None:
    make(checkout, "install")
    stamped = (checkout / ".venv/.installed").stat().st_mtime
    os.utime(checkout / name, (stamped + 2, stamped + 2))

    assert "installing" in make(checkout, "install")


def test_moved_checkout_installs_again(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    make(checkout, "install")
    moved = tmp_path_factory.mktemp("elsewhere") / "moved here"
    checkout.rename(moved)

    assert "installing" in make(moved, "install")


def test_environment_whose_python_has_gone_is_installed_again(checkout: Path) -> None:
    make(checkout, "install")
    (checkout / ".venv/bin/python").unlink()

    assert "installing" in make(checkout, "install")


def test_failed_install_leaves_no_stamp(checkout: Path) -> None:
    (checkout / "scripts/install.sh").write_text("#!/bin/sh\nexit 1\n")

    with pytest.raises(AssertionError, match="Error 1"):
        make(checkout, "install")
    assert not (checkout / ".venv/.installed").exists()


def test_another_pytorch_installs_again_and_is_remembered(checkout: Path) -> None:
    with (checkout / "scripts/install.sh").open("a") as script:
        script.write('echo "torch=$TORCH"\nprintf %s "$TORCH" > .venv/.torch\n')
    make(checkout, "install")

    assert "torch=cpu" in make(checkout, "install", "TORCH=cpu")
    assert "installing" not in make(checkout, "install")
    assert "torch=\n" in make(checkout, "install", "TORCH=")
