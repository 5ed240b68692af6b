"""scripts/install.sh: which packages it asks for, whose certificates it trusts, when it begins anew."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UV = (
    '#!/bin/sh\nif [ "$1" = --version ]; then echo "uv 1.2.3"; else echo "uv $* certs=$UV_SYSTEM_CERTS" >> "$LOG"; fi\n'
)
PYTHON = (
    "#!/bin/sh\n"
    'case "$*" in\n'
    '    *"-m venv"*) for last; do :; done; rm -rf "$last"; mkdir -p "$last/bin"; echo made >> "$LOG"\n'
    '        cp "$0" "$last/bin/python"; cp "$UV" "$last/bin/uv"; echo "$PWD/$last" > "$last/bin/activate" ;;\n'
    '    *"-m pip install"*) echo "pip $* cert=$PIP_CERT" >> "$LOG" ;;\n'
    '    *"-c import sys"*) echo "3.12 1" ;;\n'
    "esac\n"
)


class Checkout:
    """A copy of the scripts with a Python and a uv that write down what they are asked for."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        shutil.copytree(root / "scripts", folder / "scripts")
        for name, text in (("python3.12", PYTHON), ("uv", UV)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    def install(self, **more: str) -> list[str]:
        """Run it; what was written down."""
        self.log.write_text("")
        env = {"PATH": "/usr/bin:/bin", "VENV": ".venv", "UV_VERSION": "1.2.3", "LOG": str(self.log)}
        env |= {"PYTHON": str(self.folder / "python3.12"), "UV": str(self.folder / "uv")} | more
        run = subprocess.run(
            [self.folder / "scripts/install.sh"], cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        return self.log.read_text().splitlines()


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Checkout:
    return Checkout(tmp_path, root)


def test_everything_is_taken_in_the_locked_versions(checkout: Checkout) -> None:
    made, packages, ours = checkout.install()

    assert made == "made"
    assert "--requirements pyproject.toml --all-extras --constraints requirements.lock" in packages
    assert "--torch-backend" not in packages
    assert "--no-deps --build-constraints requirements.lock --editable ." in ours


def test_uv_trusts_what_the_system_trusts(checkout: Checkout) -> None:
    assert all(line.endswith("certs=1") for line in checkout.install()[1:])


def test_pip_takes_the_certificates_of_a_file(checkout: Checkout, tmp_path: Path) -> None:
    (tmp_path / "site.pem").touch()
    checkout.install()

    lines = checkout.install(UV_VERSION="1.2.4", SSL_CERT_FILE=str(tmp_path / "site.pem"))

    assert next(line for line in lines if line.startswith("pip ")).endswith(f"cert={tmp_path}/site.pem")


def test_one_word_takes_a_pytorch_without_cuda_and_makes_the_environment_anew(checkout: Checkout) -> None:
    checkout.install()
    assert "made" not in checkout.install()

    lines = checkout.install(TORCH="cpu")
    assert lines[0] == "made"
    assert "--torch-backend cpu" in lines[1]
    assert "made" not in checkout.install(TORCH="cpu")
    assert checkout.install()[0] == "made"


def test_uv_knows_the_word() -> None:
    """Its index is another one, which need not be reachable here: it is the option and its value that are tried."""
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "install", "--offline", "--dry-run", "--python", sys.executable, "--torch-backend", "cpu"]

    run = subprocess.run([*command, "packaging"], env=os.environ, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
