"""What a figure was measured on. Ratios travel between machines; rates do not."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from benchmarks import cpu
from tests.testing.paths import REPOSITORY

PACKAGES = ("torch", "openvino", "pillow", "numpy", "sqlalchemy", "celery")


def describe() -> dict[str, str]:
    """By words that a person reads."""
    load_1, load_5, _ = psutil.getloadavg()
    facts = {
        "processor": _processor(),
        "cores": f"{cpu.cores()} of {psutil.cpu_count() or 1}",
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.machine()}, Python {sys.version.split()[0]}",
        "packages": ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name))),
        "commit": commit(),
        "measured": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load before": f"{load_1:.1f} (1 min), {load_5:.1f} (5 min)",
    }
    return facts | ({"GPU": device} if (device := gpu()) else {})


def commit() -> str:
    """Its short hash, and whether files were changed since; empty outside a checkout."""
    try:
        short = _git("rev-parse", "--short", "HEAD")
        return short + (" with changes" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def gpu() -> str:
    """The first CUDA device's name and memory; empty without one."""
    import torch

    if not torch.cuda.is_available():
        return ""
    device = torch.cuda.get_device_properties(0)
    return f"{device.name}, {device.total_memory / 1e9:.0f} GB"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
