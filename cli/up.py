"""`pneumoscreen up`: the whole service on one machine, from nothing, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer

from launcher import address, datadir, embedded, stop_request


def up(
    host: Annotated[
        str,
        typer.Option(envvar="PNEUMOSCREEN_WEB_HOST", help="Address to listen on; 0.0.0.0 lets other machines in."),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(envvar="PNEUMOSCREEN_WEB_PORT", min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    ] = 8000,
    data_dir: Annotated[
        Path,
        typer.Option(envvar="PNEUMOSCREEN_DATA_DIR", help="Database, images, secrets and logs; made when missing."),
    ] = Path("data"),
    workers: Annotated[int, typer.Option(min=1, help="Worker processes; one a GPU, or one on a CPU.")] = 1,
) -> None:
    """Start everything on this machine: web pages, API, queue and workers.

    Needs nothing else installed: the database is a file in the data directory,
    the queue a small server that runs beside it. Prints `ready: URL` when images
    can be sent. Ctrl-C stops it all; starting again goes on where it stopped.

    Examples:

      pneumoscreen up

      pneumoscreen up --port 8080 --data-dir /srv/pneumoscreen --workers 2
    """
    os.umask(0o077)  # whatever any of the processes creates is for its owner alone
    stop = stop_request.StopRequest()
    path = datadir.prepare(data_dir)
    with stop.installed(), datadir.locked(path, notify=_say) as lock_fd:
        port = address.reserve(host, port)
        _say(f"data directory: {path}")
        embedded.EmbeddedService(path, host, port, workers, stop=stop, lock_fd=lock_fd, say=_say).run()


def _say(line: str, *, err: bool = False) -> None:
    with contextlib.suppress(OSError):  # a closed terminal or pipe must not take the service down
        typer.echo(line, err=err)
