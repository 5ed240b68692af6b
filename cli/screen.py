"""`pneumoscreen screen`: the worker's own pipeline over files, in this process, with no queue and no database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from cli import catalog, progress, table
from cli.submit import EXIT_SOME_FAILED, CsvPath, FollowLinks, Paths, print_skipped
from client.csv_file import CsvFile
from client.rows import REJECTED, Tally
from client.sources import Problem, Source, Sources, Unreadable
from core import logs, settings
from core.csv_lines import Row, model_label
from core.settings import Settings
from imaging.media import sniff
from model import loaded
from model.decision import Prediction
from model.loaded import LoadedModel
from worker.batching import Outcome, decoders, screen_batches


def screen(
    paths: Paths,
    csv: CsvPath = None,
    model: Annotated[
        str, typer.Option(help="Name or sha256 of `pneumoscreen model list`; default: the active one.")
    ] = "",
    follow_links: FollowLinks = False,
) -> None:
    """Screen chest X-rays (JPEG or PNG) right here, without a service.

    Reads, preprocesses and predicts exactly as a worker of the service does.
    PATH is read as `pneumoscreen submit` reads it.
    For archives run a service (`pneumoscreen up`): it survives interruptions.

    Examples:

      pneumoscreen screen chest.png

      pneumoscreen screen /archive/2023 export.zip --csv results.csv

    Exit status: 0 all done, 1 an error, 2 wrong usage, 3 some files failed.
    """
    configured = settings.load()
    tally = Tally()
    with ExitStack() as stack:
        csv_file = stack.enter_context(CsvFile(csv)) if csv is not None else None
        sources = stack.enter_context(
            Sources(paths, max_bytes=configured.limits.max_upload_bytes, follow_links=follow_links)
        )
        with catalog.checkpoint(configured, model) as entry:
            loaded_model = loaded.load(entry, configured.worker.engine)
        logs.configure(configured, "screen")
        total = sources.count()
        meter = stack.enter_context(progress.meter("Screening", total))
        for done, row in enumerate(screen_rows(sources, loaded_model, configured), start=1):
            tally.add(row)
            if csv_file is not None:
                csv_file.write(row)
            meter.show(done, max(total, done))
    print_skipped(sources)
    table.print_summary(tally, csv_given=csv is not None)
    if tally.failed:
        raise typer.Exit(EXIT_SOME_FAILED)


@dataclass(slots=True)
class ScreenedFile:
    """A file on its way through the pipeline; the rest is set while it is read."""

    source: Source
    sha256: str = ""
    accepted: bool = False
    notes: str = ""


def screen_rows(sources: Sources, model: LoadedModel, settings: Settings) -> Iterator[Row]:
    """A row for each file, in batches, two of which are in memory at a time."""
    problems: list[Problem] = []
    with decoders(settings.worker.decode_threads) as pool, ThreadPoolExecutor(1, "network") as network:
        batches = _batches(sources, settings.worker.batch_size or model.engine.batch_size, problems.append)
        for outcomes in screen_batches(
            batches, lambda file: _read(file, settings.limits.max_pixels), model, pool, network
        ):
            for file, outcome in outcomes:
                yield _row(file, outcome, model)
    for problem in problems:
        yield Row(problem.name, REJECTED, error=problem.message)


def _batches(sources: Sources, size: int, on_problem: Callable[[Problem], None]) -> Iterator[list[ScreenedFile]]:
    batch: list[ScreenedFile] = []
    for source in sources:
        if isinstance(source, Problem):
            on_problem(source)
            continue
        batch.append(ScreenedFile(source))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(file: ScreenedFile, max_pixels: int) -> NDArray[np.uint8]:
    """uint8 (224, 224); the same checks in the same order as `submit` and the service make them."""
    from imaging import preprocess

    try:
        with file.source.open() as opened:
            data = opened.read()
    except OSError as error:
        raise Unreadable(f"The file cannot be read: {error.strerror}.") from error
    file.sha256 = hashlib.sha256(data).hexdigest()
    sniff(BytesIO(data), max_pixels=max_pixels)
    file.accepted = True
    prepared = preprocess.prepare(data, max_pixels=max_pixels, with_preview=False)
    file.notes = " ".join(prepared.notes)
    return prepared.pixels


def _row(file: ScreenedFile, outcome: Outcome, model: LoadedModel) -> Row:
    name, sha256 = file.source.name, file.sha256
    if isinstance(outcome, Prediction):
        decided = model.decide(outcome)
        label = model_label(model.name, model.sha256)
        reason = decided.reason or ""
        return Row(name, "done", sha256, outcome.probability, decided.decision, label, reason=reason, notes=file.notes)
    state = "failed" if file.accepted else REJECTED
    return Row(name, state, sha256, error=outcome.message)
