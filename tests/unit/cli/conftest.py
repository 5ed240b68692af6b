"""The command line against a fake service, in a clean environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from typer.testing import CliRunner, Result

from tests.testing import factories
from tests.unit.cli.fake_service import TOKEN, FakeService, serving


class Invoke(Protocol):
    """Runs a command line; `input` is its standard input."""

    def __call__(self, *arguments: str | Path, input: str | None = None) -> Result: ...  # noqa: A002


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("PNEUMOSCREEN_") and name != "PNEUMOSCREEN_TEST_DATA":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PNEUMOSCREEN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("client.retries.FIRST_DELAY_S", 0.01)


@pytest.fixture
def invoke() -> Invoke:
    from cli.main import app

    def run(*arguments: str | Path, input: str | None = None) -> Result:  # noqa: A002
        return CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)

    return run


@pytest.fixture
def service() -> Iterator[FakeService]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    fake = FakeService()
    with serving(fake) as fake.url:
        yield fake


@pytest.fixture
def submit(invoke: Invoke, service: FakeService) -> Callable[..., Result]:
    """`submit` to the fake service with its token."""

    def run(*arguments: str | Path) -> Result:
        return invoke("submit", *arguments, "--url", service.url, "--token", TOKEN)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five radiographs: a.png … c.png, and d.jpg and e.jpg in a folder below."""
    root = tmp_path / "archive"
    (root / "below").mkdir(parents=True)
    for seed, name in enumerate("abc"):
        (root / f"{name}.png").write_bytes(factories.png(seed))
    for seed, name in enumerate("de", start=10):
        (root / "below" / f"{name}.jpg").write_bytes(factories.jpeg(seed))
    return root
