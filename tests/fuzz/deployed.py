"""The application as on servers, on PostgreSQL and Valkey, with three images to ask about; the network is a fake."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.datastructures import FileStorage

from core.settings import Settings
from db.accounts import users
from db.session import now
from tests.testing import factories, valkey
from tests.testing.fakes import fake_model
from tests.testing.settings import change
from web.app import create_app
from web.backends import Backends, connect_all
from worker.pipeline import Pipeline


@dataclass(frozen=True)
class Deployed:
    """`token` may do everything."""

    app: Flask
    backends: Backends
    token: str
    ids: list[int]


@contextmanager
def deployed(settings: Settings, postgresql_url: str) -> Iterator[Deployed]:
    """In a migrated database without a row, with a Valkey of its own. A worker has been there once and gone."""
    with valkey.serve() as broker:
        given = {"database_url": SecretStr(postgresql_url), "redis_url": SecretStr(broker.url)}
        ours = connect_all(change(settings, **given))
        with ours.database.begin() as session:
            factories.model(session)
            token = users.create_token(session, factories.user(session), now=now(session))
        app = create_app(ours.settings, ours)
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        ids = send_three(client)
        with closing(Pipeline(ours.settings, ours.database, ours.store, fake_model, "test-worker")) as pipeline:
            pipeline.drain()
        yield Deployed(app, ours, token, ids)
        ours.celery.close()
        ours.broker.close()
        ours.database.dispose()


def send_three(client: FlaskClient) -> list[int]:
    """Three jobs of one image each, with the same id; a worker can read two of them, and draws both for the page."""
    ids = []
    for seed in range(3):
        data = factories.png16(seed) if seed else factories.png()[:-30]
        file = FileStorage(io.BytesIO(data), f"{seed}.png")
        ids.append(client.post("/api/v1/images", data={"file": file}).get_json()["id"])
    return ids
