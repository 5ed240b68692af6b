"""Models: their checkpoint missing, truncated or another one, and another model deployed under load."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import ColumnElement, func, select

from db import deployments as db_deployments
from db.session import now
from db.tables import Image, Prediction, Worker
from model import registry
from model.registry import DEFAULT
from services.deployments import Deployments
from storage.open import open_store
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


def deployments(run: Run) -> Deployments:
    return Deployments(run.stack.database, open_store(run.stack.settings))


def deploy_another(run: Run) -> Path:
    """Where its checkpoint lies in the blob store."""
    service = deployments(run)
    sha256 = service.import_(another_model(run)).sha256
    service.activate(sha256)
    run.notes["sha256"] = sha256
    return run.stack.settings.storage.blobs / sha256[:2] / sha256


def at_start(harm: Callable[[Path], None]) -> Callable[[Run], None]:
    """Both workers are started again and find the model damaged: they end, saying why, and claim nothing."""

    def inject(run: Run) -> None:
        for worker in run.stack.workers:
            worker.terminate()
        path = deploy_another(run)
        harm(path)
        run.notes["path"] = path
        for worker in run.stack.workers:
            worker.wanted = True
        _wait_until_said(run, "worker_cannot_start")

    return inject


def at_switch(harm: Callable[[Path], None]) -> Callable[[Run], None]:
    """The operator deploys a model whose checkpoint is damaged: the workers go on with the one they have."""

    def inject(run: Run) -> None:
        service = deployments(run)
        sha256 = service.import_(another_model(run)).sha256
        run.notes["sha256"] = sha256
        with run.stack.database.begin() as session:  # at once, and not after the damage is noticed
            db_deployments.deploy(session, sha256, by="(test)", now=now(session))
            harm(run.stack.settings.storage.blobs / sha256[:2] / sha256)
        _wait_until_said(run, "model_kept")

    return inject


def under_load(run: Run) -> None:
    """Another model is deployed while both workers are busy; `put_back` then deploys the first one again."""
    deploy_another(run)
    run.wait_until(lambda: _models(run) == {run.notes["sha256"]}, "both workers to run the deployed model")
    run.pause()


def changed_without_a_second_try(run: Run, rows: list[Image]) -> list[str]:
    """No image was tried twice, and the other model has screened some."""
    again = sum(row.attempt != 1 for row in rows)
    with run.stack.database.read() as session:
        query = select(func.count()).select_from(Prediction).join(Image, Image.primary_prediction_id == Prediction.id)
        by_other = session.scalars(
            query.where(Prediction.model_sha256 == run.notes["sha256"], Image.id.in_([row.id for row in rows]))
        ).one()
    problems = [f"{again} images were tried twice although a model was only changed"] if again else []
    return problems + ([] if by_other else ["no image was screened by the model that was deployed"])


def _models(run: Run) -> set[str]:
    """What the workers that run say they run."""
    with run.stack.database.read() as session:
        rows = session.scalars(select(Worker.model_sha256).where(_is_running(run))).all()
    return set(rows) if len(rows) == len(run.stack.workers) else set()


def _problems(run: Run) -> list[str]:
    """Why a worker that runs does not change to the deployed model."""
    with run.stack.database.read() as session:
        rows = session.scalars(select(Worker.model_problem).where(_is_running(run))).all()
    return [problem for problem in rows if problem]


def _is_running(run: Run) -> ColumnElement[bool]:
    return Worker.name.in_({run.stack.name_of(worker) for worker in run.stack.workers})


def _wait_until_said(run: Run, event: str) -> None:
    before = run.stack.logs().count(event)
    run.wait_until(lambda: run.stack.logs().count(event) > before, f"a worker to log {event}")


def put_back(run: Run) -> None:
    """Deploy the shipped model again, as the message tells the operator."""
    deployments(run).activate("default")
    shipped = registry.shipped().sha256
    run.wait_until(lambda: _models(run) == {shipped} and not _problems(run), "both workers to run the shipped model")


def put_file_back(run: Run) -> None:
    """And then the shipped model again: the next row deploys this one anew."""
    path = run.notes["path"]
    assert isinstance(path, Path)
    path.unlink(missing_ok=True)
    deployments(run).import_(another_model(run))
    run.wait_until(lambda: _models(run) == {run.notes["sha256"]}, "both workers to run the deployed model")
    put_back(run)


ROWS = [
    *(
        Row(f"checkpoint {how}", "at the workers' start", inject=at_start(harm), restore=put_file_back)
        for how, harm in HARM.items()
    ),
    *(
        Row(f"checkpoint {how}", "at a change of models", inject=at_switch(harm), restore=put_back)
        for how, harm in HARM.items()
    ),
    Row("model activated", "under load", inject=under_load, restore=put_back, check=changed_without_a_second_try),
]
