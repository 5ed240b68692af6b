"""Another process, such as a DICOM receiver, takes images in and cancels them: no Flask, no Celery, no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sqlalchemy import select

from db.session import Database
from db.tables import Image, Job
from services.caller import Caller
from storage.local import LocalBlobStore
from tests.testing import factories
from tests.testing.paths import REPOSITORY

RECEIVER = """
import json, sys
from pathlib import Path

from db.session import Database
from db.states import Priority, Role
from services.caller import Caller
from services.files import IncomingFile
from services.ingest import Ingest
from services.jobs import Jobs
from core.settings import Settings
from storage.local import LocalBlobStore

url, blobs, picture, user_id = sys.argv[1:]

class Nobody:
    def publish(self, image_ids, queue):
        return []

database, store, publisher = Database(url), LocalBlobStore(Path(blobs)), Nobody()
caller = Caller(int(user_id), "ada", Role.ADMIN)
jobs = Jobs(database, publisher)
ingest = Ingest(Settings(), database, store, publisher)
job, _, _ = jobs.create(caller, "from the modality", Priority.BULK)
spools = ingest.spools()
spool = spools.new()
spool.write(Path(picture).read_bytes())
spool.seek(0)
(image,) = ingest.receive(caller, job.id, [IncomingFile("a.png", spool)])
spools.close()
cancelled = jobs.cancel(caller, job.id)
unwanted = {"flask", "werkzeug", "celery", "kombu", "redis", "torch"} & set(sys.modules)
print(json.dumps({"sha256": image.sha256, "cancelled": cancelled, "unwanted": sorted(unwanted)}))
"""


def test_a_receiver_ingests_and_cancels_without_the_web(
    database_url: str, database: Database, store: LocalBlobStore, caller: Caller, tmp_path: Path
) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(factories.png())
    command = [sys.executable, "-c", RECEIVER, database_url, str(store.root), str(picture), str(caller.user_id)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["cancelled"], said["unwanted"]) == (1, [])
    assert store.exists(said["sha256"])
    with database.read() as session:
        image = session.scalars(select(Image)).one()
        assert (image.sha256, image.state, image.published_at) == (said["sha256"], "cancelled", None)
        assert session.scalars(select(Job.name)).one() == "from the modality"
