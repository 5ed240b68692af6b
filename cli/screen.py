"""`pneumoscreen screen`: the worker's own pipeline over files, in this process, with no queue and no database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Annotated

import typer

from cli import catalog, progress, table
from cli.files import EXIT_SOME_FAILED, CsvPath, FollowLinks, Paths, PopulationChoice, print_skipped
from client.csv_file import CsvFile
from client.rows import REJECTED, Tally
from client.sources import Problem, Source, Sources, Unreadable
from core import logs, populations, settings
from core.csv_lines import Row, model_label
from core.populations import Population
from imaging import media
from model import decision, loaded
from worker import batching
from worker.scheduler import Batch, Nothing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from core.populations import Known
    from core.settings import Settings
    from model.loaded import LoadedModel
    from worker.predict import Outcome


def screen(
    paths: Paths,
    csv: CsvPath = None,
    model: Annotated[
        str, typer.Option(help="Name or sha256 of `pneumoscreen model list`; default: the active one.")
    ] = "",
    population: PopulationChoice = None,
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

        def write(row: Row) -> None:
            tally.add(row)
            if csv_file is not None:
                csv_file.write(row)
            done = tally.counts.total()
            meter.show(done, max(total, done))

        screen_files(sources, loaded_model, configured, write, Population(population) if population else None)
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


class Files:
    """A `batching.Source`: files in their order, and a row for each. What cannot be taken in has its row at the end."""

    def __init__(
        self,
        sources: Iterable[Source | Problem],
        model: LoadedModel,
        settings: Settings,
        write: Callable[[Row], None],
        population: Population | None = None,
    ) -> None:
        self.model = model
        self._known = populations.known(population)
        self._batches = self._batched(sources, settings.worker.batch_size or model.engine.batch_size)
        self._max_pixels = settings.limits.max_pixels
        self._write = write
        self.problems: list[Problem] = []

    def claim(self, *, alone: bool) -> list[Batch[ScreenedFile]] | Nothing:
        batch = next(self._batches, None)
        return Nothing.LEFT if batch is None else [Batch(batch)]

    def claim_interactive(self) -> list[Batch[ScreenedFile]]:
        return []

    def read(self, item: ScreenedFile) -> NDArray[np.uint8]:
        """The same checks in the same order as `submit` and the service make them."""
        from imaging import preprocess

        try:
            with item.source.open() as file:
                data = file.read()
        except OSError as error:
            raise Unreadable(f"The file cannot be read: {error.strerror}.") from error
        item.sha256 = hashlib.sha256(data).hexdigest()
        media.sniff(BytesIO(data), max_pixels=self._max_pixels)
        item.accepted = True
        prepared = preprocess.prepare(data, max_pixels=self._max_pixels, with_preview=False)
        item.notes = " ".join(prepared.notes)
        return prepared.pixels

    def population(self, item: ScreenedFile) -> Known | None:
        return self._known

    def store(self, outcomes: Sequence[tuple[ScreenedFile, Outcome]], model: LoadedModel) -> None:
        for item, outcome in outcomes:
            self._write(_row(item, outcome, model))

    def _batched(self, sources: Iterable[Source | Problem], size: int) -> Iterator[list[ScreenedFile]]:
        batch: list[ScreenedFile] = []
        for source in sources:
            if isinstance(source, Problem):
                self.problems.append(source)
                continue
            batch.append(ScreenedFile(source))
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch


def screen_files(
    sources: Sources,
    model: LoadedModel,
    settings: Settings,
    write: Callable[[Row], None],
    population: Population | None = None,
) -> None:
    """Give `write` a row for each file; a few batches are in memory at a time. All are judged as of `population`."""
    files = Files(sources, model, settings, write, population)
    with batching.decoders(settings.worker.decode_threads) as pool, ThreadPoolExecutor(1, "network") as network:
        batching.screen(files, pool, network)
    for problem in files.problems:
        write(Row(problem.name, REJECTED, error=problem.message))


def _row(file: ScreenedFile, outcome: Outcome, model: LoadedModel) -> Row:
    name, sha256 = file.source.name, file.sha256
    if isinstance(outcome, decision.Prediction):
        decided = model.decide(outcome)
        return Row(
            name,
            "done",
            sha256,
            outcome.probability,
            decided.decision,
            model_label(model.name, model.sha256),
            reason=decided.reason or "",
            notes=file.notes,
            kind=decided.kind or "",
            view=decided.view or "",
            population=outcome.judged_as.population if outcome.judged_as else "",
        )
    state = "failed" if file.accepted else REJECTED
    return Row(name, state, sha256, error=outcome.message)
