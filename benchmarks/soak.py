"""`python -m benchmarks.soak --images 100000`: does memory stay flat over a long job, and does progress stay cheap?

Web, sweeper, one worker and `pneumoscreen submit` as processes of their own on SQLite and Valkey; images of 16 x 16
pixels and an engine that only takes their mean, so that what is measured is everything around the network. Samples
the resident memory of each process and the time of a request for the job's progress, as JSON and as a page.
"""

from __future__ import annotations

import argparse
import csv
import struct
import tempfile
import time
import zlib
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median, quantiles

import httpx
import psutil

from benchmarks.site import Site
from tests.testing import factories

SAMPLE_S = 2.0
FOLDER_SIZE = 1000


def write_images(root: Path, count: int) -> None:
    """Small PNGs, no two alike: the same pixels with a number in a text chunk, which costs next to nothing to make."""
    base = factories.png(size_px=(16, 16))
    head, tail = base[:33], base[33:]  # signature and header; pixels and end
    for number in range(count):
        folder = root / f"{number // FOLDER_SIZE:03d}"
        folder.mkdir(exist_ok=True)
        text = b"tEXtComment\x00%d" % number
        chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
        (folder / f"{number:06d}.png").write_bytes(head + chunk + tail)


def resident_mb(pid: int) -> float:
    """Of a process and all that it started, in megabytes; 0 once it has ended."""
    try:
        processes = [psutil.Process(pid)]
        processes += processes[0].children(recursive=True)
    except psutil.NoSuchProcess:
        return 0.0
    total_bytes = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            total_bytes += process.memory_info().rss
    return total_bytes / 1e6


class Samples:
    """Of every process, and of the time that a request for the job's progress takes."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.json_ms: list[float] = []
        self.page_ms: list[float] = []

    def take(self, site: Site, client: httpx.Client, started_s: float) -> int:
        """One row; how many images are over."""
        done = 0
        started = time.perf_counter()
        answer = client.get("/api/v1/jobs/1")
        if answer.status_code == httpx.codes.OK:
            self.json_ms.append((time.perf_counter() - started) * 1e3)
            counts = answer.json()["counts"]
            done = sum(counts.values()) - counts["queued"] - counts["running"]
            started = time.perf_counter()
            client.get("/jobs/1").raise_for_status()
            self.page_ms.append((time.perf_counter() - started) * 1e3)
        memory = {name: round(resident_mb(process.pid), 1) for name, process in site.processes.items()}
        self.rows.append({"seconds": round(time.monotonic() - started_s, 1), "done": done} | memory)
        return done

    def write(self, path: Path, names: list[str]) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, ["seconds", "done", *names], restval="")
            table.writeheader()
            table.writerows(self.rows)

    def quarter(self, name: str, *, last: bool) -> float:
        """The median of a process's memory over the first or last quarter of its life, megabytes."""
        values = [row[name] for row in self.rows if row.get(name)]
        size = max(1, len(values) // 4)
        return median(values[-size:] if last else values[:size])


def plot(samples: Samples, names: list[str], path: Path, images: int) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for name in names:
        points = [(row["seconds"], row[name]) for row in samples.rows if row.get(name)]
        axes.plot(*zip(*points, strict=True), label=name)
    axes.set(xlabel="seconds", ylabel="resident memory, MB", title=f"A job of {images:,} images", ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=110)


def run(images: int, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pns-soak-")))
        (directory / "archive").mkdir()
        write_images(directory / "archive", images)
        site = Site(directory, stack)
        site.start_web()
        site.start("worker", "-m", "tests.integration.fake_worker", "0")
        site.start("sweeper", "-m", "cli", "sweeper")
        site.wait_for_workers(1)
        client = stack.enter_context(
            httpx.Client(base_url=site.url, headers={"Authorization": f"Bearer {site.token}"}, timeout=600)
        )
        samples = Samples()
        started_s = time.monotonic()
        table = str(directory / "results.csv")
        submit = site.start(
            "submit", *("-m", "cli", "submit", str(directory / "archive")), *("--url", site.url, "--csv", table)
        )
        done = 0
        while submit.poll() is None:
            done = samples.take(site, client, started_s)
            samples.write(out / "soak.csv", list(site.processes))  # so that an interrupted run leaves its samples
            time.sleep(SAMPLE_S)
        seconds = time.monotonic() - started_s
        names = list(site.processes)
        done = samples.take(site, client, started_s)
        with Path(table).open(encoding="utf-8") as file:
            lines = sum(1 for _ in file) - 1
    samples.write(out / "soak.csv", names)
    plot(samples, names, out / "soak.png", images)
    report(samples, names, done, lines, seconds)


def report(samples: Samples, names: list[str], done: int, lines: int, seconds: float) -> None:
    print(
        f"{done:,} images over, {lines:,} lines of results, {seconds:.0f} s: {done / seconds:.1f} images/s (fake model)"
    )
    for name in names:
        first, last = samples.quarter(name, last=False), samples.quarter(name, last=True)
        print(f"{name:8} first quarter {first:7.1f} MB, last quarter {last:7.1f} MB, {last - first:+.1f} MB")
    for what, values in (("progress as JSON", samples.json_ms), ("job page", samples.page_ms)):
        p95 = quantiles(values, n=20)[-1] if len(values) > 1 else values[0]
        print(f"{what}: median {median(values):.1f} ms, 95th percentile {p95:.1f} ms over {len(values)} requests")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=Path("build/soak"), help="where soak.csv and soak.png go")
    arguments = parser.parse_args()
    run(arguments.images, arguments.out)


if __name__ == "__main__":
    main()
