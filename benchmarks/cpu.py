"""CPU seconds, user and system: of this process, of another one with its descendants, and of a stretch of code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil


@dataclass(slots=True)
class Used:
    """By a stretch of code; both are 0 until it has ended."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@contextmanager
def measured() -> Iterator[Used]:
    """All threads of this process."""
    used = Used()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    yield used
    used.cpu_s, used.wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s


def of_process(pid: int) -> float:
    """CPU seconds so far, with all descendants, also those that have ended and were waited for."""
    total_s = 0.0
    try:
        processes = [psutil.Process(pid)]
        processes += processes[0].children(recursive=True)
    except psutil.NoSuchProcess:
        return 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system + times.children_user + times.children_system
    return total_s


def of_parts(pid: int) -> dict[str, float]:
    """Of the children of `pneumoscreen up`, by what they are: web, worker, sweeper, valkey."""
    parts: dict[str, float] = {}
    for child in psutil.Process(pid).children():
        try:
            command = child.cmdline()
        except psutil.NoSuchProcess:
            continue
        name = command[-1] if command[1:3] == ["-m", "cli"] else "valkey"
        parts[name] = parts.get(name, 0.0) + of_process(child.pid)
    return parts


def cores() -> int:
    """Those that this process may run on."""
    process = psutil.Process()
    return len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
