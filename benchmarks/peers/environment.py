"""A virtual environment for each peer, with our lock's versions of what both use. Made once, kept in build/peers."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.testing.paths import REPOSITORY

LOCK = REPOSITORY / "requirements.lock"
HERE = Path(__file__).parent
TIMEOUT_S = 1800


class CannotInstall(Exception):
    """The message ends with what the installer said."""


def requirements(name: str) -> Path:
    return HERE / name / "requirements.txt"


def prepare(name: str, build: Path) -> Path:
    """The Python of the peer `name`; installs only when its requirements or our lock have changed.

    Raises:
        CannotInstall: the packages cannot be had, or do not go with our versions.
    """
    folder = (build / "peers" / name).resolve()
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = fingerprint(requirements(name), LOCK)
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    stamp.unlink(missing_ok=True)
    uv = str(Path(sys.executable).parent / "uv")
    _run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder))
    # Compiled now, not while the peer starts and is waited for.
    _run(
        *(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)),
        *("--constraint", str(LOCK), "--requirements", str(requirements(name))),
    )
    stamp.write_text(wanted, encoding="utf-8")
    return python


def fingerprint(*paths: Path) -> str:
    """Changes with the content of any of them."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if done.returncode != 0:
        raise CannotInstall(f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr[-1500:]}")
