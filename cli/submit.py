"""`pneumoscreen submit`: sends files to a service, waits, shows what came of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import progress, table
from cli.files import EXIT_SOME_FAILED, CsvPath, FollowLinks, Paths, PopulationChoice, print_skipped
from client import declared_job, http, upload, watch
from client.csv_file import CsvFile
from client.rows import Tally, from_api, without_image
from client.sources import Sources, absolute, display_name
from core import settings
from core.csv_lines import Row
from core.errors import ConfigurationError, PneumoscreenError
from launcher import datadir

if TYPE_CHECKING:
    from client.declared_job import DeclaredJob
    from client.http import Client
    from client.upload import Hashed, Sent
    from core.settings import Limits

DEFAULT_URL = "http://127.0.0.1:8000"
MAX_NAME = 200


def submit(
    paths: Paths,
    url: Annotated[str, typer.Option(envvar="PNEUMOSCREEN_URL", help="Address of the service.")] = DEFAULT_URL,
    token: Annotated[
        str,
        typer.Option(
            envvar="PNEUMOSCREEN_TOKEN", show_default=False, help="API token; default: the file data/admin-token."
        ),
    ] = "",
    name: Annotated[str, typer.Option(help="What to call the job; default: after the first path.")] = "",
    priority: Annotated[
        Literal["interactive", "bulk"], typer.Option(help="interactive goes before everything that is bulk.")
    ] = "bulk",
    population: PopulationChoice = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return once everything is sent.")] = False,
    csv: CsvPath = None,
    concurrency: Annotated[int, typer.Option(min=1, max=32, help="Uploads at the same time.")] = 4,
    follow_links: FollowLinks = False,
) -> None:
    """Send chest X-rays (JPEG or PNG) to a running service and show the results.

    A folder is walked; a zip or tar (gz, bz2, xz) is read without unpacking it.
    Thumbnails, recycle bins and companions (README, CSV) are passed over and counted.
    Interrupted? The same command goes on where it stopped.

    Examples:

      pneumoscreen submit chest.png --priority interactive

      pneumoscreen submit /archive/2023 --csv results.csv

      pneumoscreen submit export.zip --url https://screening.example.org --no-wait

    Exit status: 0 all done, 1 an error, 2 wrong usage, 3 some files failed.
    """
    if csv is not None and no_wait:
        raise typer.BadParameter("--csv holds results, which --no-wait does not wait for: leave one out.")
    configured = settings.load()
    url = http.check_url(url)
    with ExitStack() as stack:
        table = stack.enter_context(CsvFile(csv)) if csv is not None else None
        client = stack.enter_context(http.Client(url, token or local_token(url, configured.storage.data_dir)))
        client.whoami()
        sources = stack.enter_context(
            Sources(paths, max_bytes=configured.limits.max_upload_bytes, follow_links=follow_links)
        )
        name = (name or default_name(paths))[:MAX_NAME]
        key = job_key(name, paths, priority, population)
        submission = Submission(client, name, priority, population, key, configured.limits, table)
        failed = submission.run(sources, concurrency=concurrency, wait=not no_wait)
    if failed:
        raise typer.Exit(EXIT_SOME_FAILED)


class Submission:
    """One run of the command, after its arguments are checked."""

    def __init__(
        self,
        client: Client,
        name: str,
        priority: str,
        population: str | None,
        key: str,
        limits: Limits,
        table: CsvFile | None,
    ) -> None:
        self.client = client
        self.name, self.priority, self.population, self.key = name, priority, population, key
        self.limits = limits
        self.table = table
        self.tally: Tally = Tally()
        self._job: DeclaredJob | None = None
        self._names: dict[int, list[str]] = {}
        """By the id of an image of the job, what this run calls it: the job may hold earlier versions of files too."""

    @property
    def job_id(self) -> int | None:
        """None until the first file can be sent."""
        return None if self._job is None else self._job.job_id

    def run(self, sources: Sources, *, concurrency: int, wait: bool) -> int:
        """Send, wait, report; how many files have no result."""
        try:
            self._upload(sources, concurrency)
            if wait and self.job_id is not None:
                self._wait(self.job_id)
        except KeyboardInterrupt:
            typer.echo("\nInterrupted. What was sent is kept; the same command goes on from here.", err=True)
            self._print_url()
            raise typer.Exit(130) from None
        except PneumoscreenError:
            if self.job_id is not None:
                typer.echo("What was sent is kept; the same command goes on from here.", err=True)
            raise
        self._report(waited=wait)
        return self.tally.failed

    def _upload(self, sources: Sources, concurrency: int) -> None:
        total = sources.count()
        with progress.meter("Sending", total) as meter:
            self.client.on_wait = meter.waiting
            self._job = job = declared_job.DeclaredJob(
                self.client,
                name=self.name,
                priority=self.priority,
                population=self.population,
                key=self.key,
                total=total,
                note=meter.note,
            )

            def show(sent: Sent) -> None:
                meter.show(sent.done, max(total, sent.done))

            uploader = upload.Uploader(
                self.client,
                job.open,
                concurrency=concurrency,
                max_pixels=self.limits.max_pixels,
                accept=self._accept,
                reject=self._reject,
                progress=show,
                tell=job.tell,
            )
            uploader.run(sources)
            job.close()
        sent = uploader.sent
        known = f" ({sent.accepted - sent.uploaded:,} were there already)" if sent.accepted > sent.uploaded else ""
        files = "file" if sent.uploaded == 1 else "files"
        typer.echo(f"Sent {sent.uploaded:,} {files}{known}; {sent.rejected:,} rejected.", err=True)
        print_skipped(sources)

    def _wait(self, job_id: int) -> None:
        with progress.meter("Screening", 0) as meter:
            watch.watch(self.client, job_id, meter)
        for image in self.client.images(job_id):
            for name in self._names.pop(image["id"], ()):
                self._add(from_api(image, name))
        for names in self._names.values():
            for name in names:
                self._add(without_image(name))

    def _accept(self, file: Hashed, image_id: int) -> None:
        self._names.setdefault(image_id, []).append(file.source.name)
        if self._job is not None:
            self._job.accepted(file.source.name, image_id)

    def _reject(self, row: Row, known: bool) -> None:
        self._add(row)
        if known and self._job is not None:
            self._job.rejected(row.filename)

    def _add(self, row: Row) -> None:
        self.tally.add(row)
        if self.table is not None:
            self.table.write(row)

    def _report(self, *, waited: bool) -> None:
        if waited:
            table.print_summary(self.tally, csv_given=self.table is not None)
        else:
            table.print_failures(self.tally, csv_given=False)
        self._print_url()

    def _print_url(self) -> None:
        if self.job_id is not None:
            typer.echo(f"Job {self.job_id}: {self.client.url}/jobs/{self.job_id}")


def local_token(url: str, data_dir: Path) -> str:
    """The token that `pneumoscreen up` left in the data directory; it never leaves this machine.

    Raises:
        ConfigurationError: there is none, or `url` leads elsewhere.
    """
    path = data_dir / "admin-token"
    is_here = http.is_loopback(url)
    token = datadir.read_secret(path) if is_here else None
    if token is None:
        where = f"there is none in {path}" if is_here else f"{path} is only used for a service on this machine"
        raise ConfigurationError(f"Give an API token with --token or PNEUMOSCREEN_TOKEN ({where}).")
    return token


def default_name(paths: Sequence[Path]) -> str:
    """The first path's own name, and how many more there are."""
    first = display_name(absolute(paths[0]).name) or "/"
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"


def job_key(name: str, paths: Sequence[Path], priority: str, population: str | None = None) -> str:
    """64 hexadecimal digits: the same for the same command, so that running it again finds its job."""
    chosen = [] if population is None else [f"judged as {population}"]
    parts = [name, priority, *chosen, *sorted(str(path.resolve()) for path in paths)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
