"""The model's file missing, truncated or another one, when workers start and when an operator switches."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from model.registry import DEFAULT, Registry
from tests.faults.matrix import Row, Run


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def change(path: Path) -> None:
    """One bit of one weight."""
    with path.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))


def another_model(run: Run) -> Path:
    """A sound checkpoint that is not the shipped one: a bit of one weight is another."""
    path = run.stack.directory / "another.safetensors"
    shutil.copyfile(DEFAULT, path)
    change(path)
    return path


HARM: dict[str, Callable[[Path], None]] = {"missing": Path.unlink, "truncated": truncate, "wrong hash": change}


def at_start(harm: Callable[[Path], None]) -> Callable[[Run], None]:
    """Both workers are started again and find the model damaged: they end, saying why, and claim nothing."""

    def inject(run: Run) -> None:
        registry = Registry(run.stack.settings.storage.models)
        entry = registry.import_(another_model(run))
        registry.activate(entry.sha256)
        harm(entry.path)
        run.notes["path"] = entry.path
        _restart_workers(run)

    return inject


def at_switch(run: Run) -> None:
    """The operator names a model that is not there; one worker is started again, the other keeps the good one."""
    models = run.stack.settings.storage.models
    models.mkdir(exist_ok=True)
    (models / "active").write_text("ab" * 32 + "\n", encoding="ascii")
    run.notes["path"] = models / ("ab" * 32 + ".safetensors")
    run.notes["times_said"] = run.stack.logs().count(str(run.notes["path"]))
    run.stack.workers[0].terminate()
    run.stack.workers[0].wanted = True
    _wait_for_reason(run)


def _restart_workers(run: Run) -> None:
    run.notes["times_said"] = run.stack.logs().count(str(run.notes["path"]))
    for worker in run.stack.workers:
        worker.terminate()
    for worker in run.stack.workers:
        worker.wanted = True
    _wait_for_reason(run)


def _wait_for_reason(run: Run) -> None:
    path, before = str(run.notes["path"]), run.notes["times_said"]
    assert isinstance(before, int)
    run.wait_until(lambda: run.stack.logs().count(path) > before, "a worker to say which model it cannot load")


def put_back(run: Run) -> None:
    """What the sentence tells the operator to do: the shipped model again."""
    Registry(run.stack.settings.storage.models).activate("default")


def put_file_back(run: Run) -> None:
    path = run.notes["path"]
    assert isinstance(path, Path)
    shutil.copyfile(another_model(run), path)


ROWS = [
    *(
        Row(f"model file {how}", "at the workers' start", inject=at_start(harm), restore=put_file_back)
        for how, harm in HARM.items()
    ),
    Row("model file missing", "at a switch of models", inject=at_switch, restore=put_back),
]
