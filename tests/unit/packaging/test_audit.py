"""The audit fails on what it finds, and says so when it could not look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import audit


def report(*vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"dependencies": [{"name": "pillow", "version": "1.0", "vulns": list(vulnerabilities)}], "fixes": []}


FOUND = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.1"], "description": ""}


def test_a_vulnerability_is_named_with_its_fix() -> None:
    assert audit.findings(report(FOUND)) == ["pillow 1.0: PYSEC-1, fixed in 1.1"]


def test_one_that_was_accepted_by_any_of_its_names_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audit.ACCEPTED, "CVE-1", "a test")
    assert audit.findings(report(FOUND)) == []


def test_a_package_that_could_not_be_looked_up_is_a_finding() -> None:
    skipped = {"dependencies": [{"name": "ours", "skip_reason": "not on the index"}], "fixes": []}
    assert audit.findings(skipped) == ["ours: not audited: not on the index"]


def test_an_index_that_knows_no_package_was_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = '{"dependencies": [{"name": "pillow", "skip_reason": "not found"}], "fixes": []}'
    run = subprocess.CompletedProcess[str]([], 0, stdout=silent, stderr="")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: run)
    assert audit.audit(audit.LOCK) is None


@pytest.mark.parametrize(("strict", "status"), [([], 0), (["--strict"], 2)])
def test_without_a_network_it_says_that_it_did_not_look(
    root: Path, tmp_path: Path, strict: list[str], status: int
) -> None:
    nowhere = "http://127.0.0.1:9"
    run = subprocess.run(
        [sys.executable, "-m", "scripts.audit", *strict],
        env={"HTTPS_PROXY": nowhere, "HTTP_PROXY": nowhere, "HOME": str(tmp_path), "PATH": ""},
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "NOT DONE" in run.stdout
    assert run.returncode == status
