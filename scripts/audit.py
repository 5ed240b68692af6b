"""Looks for known vulnerabilities of the packages in requirements.lock: `make audit`, and in continuous integration.

Exit status: 1 if something was found. Where the vulnerability service cannot be reached it says so and ends with 0, or
with 2 given `--strict`: a machine without a network can still run the tests, and a release is made with `--strict`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
TIMEOUT_S = 120

ACCEPTED: dict[str, str] = {}
"""Vulnerability id -> why it does not concern us, and until when."""


def audit(lock: Path) -> dict[str, Any] | None:
    """pip-audit's report, or None if the service (the package index's own) cannot be asked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--no-deps", "--disable-pip"]
    options = ["--vulnerability-service", "pypi", "--format", "json", "--progress-spinner", "off"]
    try:
        run = subprocess.run([*command, *options], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return None
    try:
        report: dict[str, Any] = json.loads(run.stdout)
    except json.JSONDecodeError:
        sys.stderr.write(run.stderr[-2000:])
        return None
    # An index that serves files but no facts about them knows none of our packages; pip-audit calls that "no known
    # vulnerabilities" and exits with 0.
    if all("skip_reason" in dependency for dependency in report["dependencies"]):
        return None
    return report


def findings(report: dict[str, Any]) -> list[str]:
    """One line for each vulnerability that nobody has accepted, and for each package that could not be looked up."""
    lines = [f"{d['name']}: not audited: {d['skip_reason']}" for d in report["dependencies"] if "skip_reason" in d]
    for dependency in report["dependencies"]:
        for weakness in dependency.get("vulns", []):
            fixed = ", ".join(weakness["fix_versions"]) or "no release yet"
            if not ACCEPTED.keys() & {weakness["id"], *weakness["aliases"]}:
                lines.append(f"{dependency['name']} {dependency['version']}: {weakness['id']}, fixed in {fixed}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description="Look for known vulnerabilities in requirements.lock.")
    parser.add_argument("--strict", action="store_true", help="fail if the service cannot be reached")
    parser.add_argument("--lock", type=Path, default=LOCK)
    given = parser.parse_args()
    report = audit(given.lock)
    if report is None:
        sys.stdout.write(
            "audit: NOT DONE: the vulnerability service cannot be reached, or knows none of our packages.\n"
        )
        return 2 if given.strict else 0
    lines = findings(report)
    for line in lines:
        sys.stdout.write(f"audit: {line}\n")
    sys.stdout.write(f"audit: {len(report['dependencies'])} packages, {len(lines)} findings\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
