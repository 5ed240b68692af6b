"""`python -m benchmarks.recovery FOLDER`: kill -9 the worker twice in the middle of a job; how long until all is done.

Recovery is the time from a kill until every image that the dead worker held is done.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path

from tests.testing.polling import wait_until
from tests.testing.service import Service, running


def kill_and_time(service: Service) -> tuple[int, float]:
    """Kill the worker while it holds images; how many it held, and the seconds until they were done."""
    (pid,) = wait_until(service.worker_pids, timeout_s=60, what="a worker with its model")
    wait_until(lambda: service.holds(pid), timeout_s=60, what="images leased to it")
    os.kill(pid, signal.SIGKILL)
    killed_at = time.perf_counter()
    held = [str(i) for (i,) in service.sql("SELECT id FROM images WHERE state = 'running'")]
    query = f"SELECT count(*) FROM images WHERE state = 'done' AND id IN ({','.join(held)})"
    wait_until(lambda: service.sql(query) == [(len(held),)], timeout_s=120, what="the images it held")
    return len(held), time.perf_counter() - killed_at


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of JPEG or PNG images, walked")
    paths = sorted(path for path in parser.parse_args().folder.rglob("*") if path.is_file())
    with running() as service:
        job_id = service.upload([(f"{number}", path.read_bytes()) for number, path in enumerate(paths)])
        for kill in (1, 2):
            held, seconds = kill_and_time(service)
            print(f"kill {kill}: the worker held {held} images; all of them done {seconds:.1f} s later")
        service.wait_for_done(job_id, len(paths), timeout_s=300)
        ((predictions, images),) = service.sql("SELECT count(*), count(DISTINCT image_id) FROM predictions")
    print(f"{len(paths)} images done, {predictions} predictions of {images} images")


if __name__ == "__main__":
    main()
