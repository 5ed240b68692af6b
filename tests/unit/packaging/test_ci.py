""".ci/run tells last that the audit was not done."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAMS = ("git", "chromium", "postgres", "ip", "nginx")
NOT_DONE = "audit: NOT DONE: nobody answered"


def run(root: Path, folder: Path, *, audit: str, audit_status: int = 0) -> subprocess.CompletedProcess[str]:
    """The script with programs that do nothing, and a `make` that says `audit`."""
    (folder / ".ci").mkdir()
    shutil.copy(root / ".ci/run", folder / ".ci/run")
    scripts = dict.fromkeys(PROGRAMS, "")
    scripts["make"] = f'[ "$1" = audit ] && {{ echo "{audit}"; exit {audit_status}; }}; echo "a long log of make $1"'
    scripts["scripts/find-python.sh"] = ""
    for name, text in scripts.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return subprocess.run(
        [folder / ".ci/run"], env={"PATH": f"{folder}:/usr/bin:/bin"}, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_an_audit_that_reached_nobody_is_what_is_seen_last(root: Path, tmp_path: Path) -> None:
    done = run(root, tmp_path, audit=NOT_DONE)

    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "a long log of make test" in lines
    assert lines[-2:] == ["==> ci: the dependencies were NOT AUDITED in this run:", NOT_DONE]


def test_an_audit_that_was_done_is_not_told_again(root: Path, tmp_path: Path) -> None:
    done = run(root, tmp_path, audit="audit: 90 packages, 0 findings")

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "a long log of make test"


@pytest.mark.parametrize("status", [1, 2])
def test_a_finding_ends_the_run(root: Path, tmp_path: Path, status: int) -> None:
    done = run(root, tmp_path, audit="audit: 1 finding", audit_status=status)

    assert done.returncode == status
    assert "make test" not in done.stdout
