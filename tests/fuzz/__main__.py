"""`make fuzz` runs the fuzzer for a while; what it learnt is in .fuzz/corpus, what it found in .fuzz/findings."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.testing.paths import REPOSITORY

MAX_INPUT_BYTES = 16_384
INPUT_TIMEOUT_S = 60
"""For what hangs; what is merely slow, the target itself tells by processor time, whatever else the machine does."""
MAX_RSS_MB = 1024
START_TIMEOUT_S = 60


@dataclass(frozen=True)
class Outcome:
    """`executions` is how many inputs were decoded; `findings` the files on which the decoder failed."""

    executions: int
    findings: list[Path]
    output: str


def fuzz(directory: Path, *, seconds: int, seed: int = 0) -> Outcome:
    """Fuzz for `seconds` (and what it takes to start) or up to the first finding. `seed` 0 is another one each time."""
    corpus, findings = directory / "corpus", directory / "findings"
    for folder in (corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds()):
        (corpus / f"seed-{number:02d}").write_bytes(data)
    options = {
        "max_total_time": seconds,
        "max_len": MAX_INPUT_BYTES,
        "timeout": INPUT_TIMEOUT_S,
        "rss_limit_mb": MAX_RSS_MB,
        "artifact_prefix": f"{findings}/",
        "print_final_stats": 1,
        "seed": seed,
    }
    given = [f"-{name}={value}" for name, value in options.items()]
    # By a shell, which is small: a process inherits the greatest memory of the one that forked it as if it were its
    # own, and libFuzzer would find that of a large test run.
    run = subprocess.run(
        ["/bin/sh", "-c", '"$0" "$@"; exit $?', sys.executable, "-m", "tests.fuzz.decode_target", *given, str(corpus)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds + START_TIMEOUT_S,
        check=False,
    )
    counted = re.search(r"number_of_executed_units: (\d+)", run.stdout)
    failing = sorted(findings.iterdir())
    if run.returncode and not failing:
        raise RuntimeError(f"the fuzzer ended with {run.returncode}:\n{run.stdout[-4000:]}")
    return Outcome(int(counted[1]) if counted else 0, failing, run.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the raster reader, guided by coverage.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--directory", type=Path, default=REPOSITORY / ".fuzz")
    given = parser.parse_args()
    outcome = fuzz(given.directory, seconds=given.seconds)
    print(outcome.output[-2500:])
    print(f"{outcome.executions:,} executions, {len(outcome.findings)} findings")
    for path in outcome.findings:
        print(f"  {path}")
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
