"""The start page: upload without scripts, and what it says of the service."""

from __future__ import annotations

from sqlalchemy import select

from db.states import ImageState, Priority, Role
from db.tables import Image, Job, User
from tests.testing.factories import png
from tests.unit.web.conftest import AddJob
from tests.unit.web.visitor import Visitor
from web.backends import Backends


def test_files_become_one_job(reader: Visitor, backends: Backends) -> None:
    page = reader.post("/", {"priority": "bulk", "name": "ward 3"}, [("a.png", png(1)), ("b.png", png(2))])
    with backends.database.read() as session:
        job = session.scalars(select(Job)).one()
        names = session.scalars(select(Image.filename).order_by(Image.id)).all()
    assert (page.status, page.location) == (303, f"/jobs/{job.id}")
    assert (job.name, job.priority, names) == ("ward 3", Priority.BULK, ["a.png", "b.png"])


def test_a_job_without_a_name_is_not_named_after_a_file(reader: Visitor, backends: Backends) -> None:
    reader.post("/", {"priority": "interactive", "name": "  "}, [("Smith_John.png", png())])
    with backends.database.read() as session:
        assert session.scalars(select(Job.name)).one() == "1 image"


def test_refused_files_are_listed_and_the_rest_is_screened(reader: Visitor) -> None:
    page = reader.post("/", {}, [("good.png", png()), ("note.txt", b"hello"), ("empty.png", b"")])
    assert page.status == 200
    assert "2 of 3 files were refused" in page.text
    assert "note.txt Not a JPEG or PNG image: this looks like a text file." in page.text
    assert "empty.png The file is empty (0 bytes)." in page.text
    assert page.links("/jobs/")


def test_when_every_file_is_refused_there_is_no_job_to_see(reader: Visitor) -> None:
    page = reader.post("/", {}, [("note.txt", b"hello")])
    assert page.status == 422
    assert "1 of 1 file was refused" in page.text
    assert not page.links("/jobs/")


def test_sending_no_file_says_what_to_do(reader: Visitor) -> None:
    page = reader.post("/", {"priority": "interactive"})
    assert page.status == 400
    assert "No file was chosen." in page.text


def test_an_unknown_priority_is_refused(reader: Visitor, backends: Backends) -> None:
    assert reader.post("/", {"priority": "first"}, [("a.png", png())]).status == 400
    with backends.database.read() as session:
        assert session.scalars(select(Job)).all() == []


def test_the_population_is_chosen_for_the_job(reader: Visitor, backends: Backends) -> None:
    assert "a child is under 16 years old" in reader.get("/").text
    for choice in ("child", ""):
        reader.post("/", {"population": choice}, [("a.png", png())])
    with backends.database.read() as session:
        assert session.scalars(select(Job.population).order_by(Job.id)).all() == ["child", None]
    assert reader.post("/", {"population": "cat"}, [("a.png", png())]).status == 400


def test_recent_jobs_show_how_far_they_are(reader: Visitor, add_job: AddJob) -> None:
    job_id = add_job(("a.png", 0.9), ("b.png", ImageState.QUEUED), name="night shift")
    page = reader.get("/")
    assert "night shift" in page.text
    assert "1 of 2" in page.text
    assert f"/jobs/{job_id}" in page.links()


def test_an_empty_service_invites_to_send(reader: Visitor) -> None:
    text = reader.get("/").text
    assert "No jobs yet." in text
    assert "No worker is running: uploads are kept and will be screened when one starts." in text


def test_only_those_who_may_see_the_status_are_sent_there(reader: Visitor, backends: Backends) -> None:
    assert "/status" in reader.get("/").links()
    with backends.database.begin() as session:
        session.scalars(select(User)).one().role = Role.CLINICIAN
    page = reader.get("/")
    assert "No worker is running" in page.text
    assert "/status" not in page.links()
