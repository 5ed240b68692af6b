"""`submit` against a fake service over HTTP: the whole command."""

from __future__ import annotations

import csv
import hashlib
import os
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from typer.testing import Result
from werkzeug.wrappers import Request, Response

from cli.submit import default_name, job_key
from cli.table import DISCLAIMER
from launcher.datadir import write_secret
from tests.testing import factories
from tests.unit.cli.conftest import Invoke
from tests.unit.cli.fake_service import TOKEN, FakeService, problem

Submit = Callable[..., Result]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder(submit: Submit, service: FakeService, folder: Path) -> None:
    result = submit(folder)

    assert result.exit_code == 0
    assert "5 files:\n  normal             5\n" in result.stdout
    assert DISCLAIMER in result.stdout
    assert f"Job 1: {service.url}/jobs/1\n" in result.stdout
    names = sorted(image["filename"] for image in service.images)
    assert names == ["a.png", "b.png", "below/d.jpg", "below/e.jpg", "c.png"]
    assert service.names == ["archive"]


def test_without_a_terminal_it_prints_plain_lines(submit: Submit, folder: Path) -> None:
    result = submit(folder)

    assert result.stderr.splitlines() == [
        "Sending: 5 of 5",
        "Sent 5 files; 0 rejected.",
        "Screening: 5 of 5",
    ]
    assert "\x1b" not in result.output


def test_one_file_interactively(submit: Submit, service: FakeService, folder: Path) -> None:
    result = submit(folder / "a.png", "--priority", "interactive", "--name", "Bed 4")

    assert result.exit_code == 0
    assert service.names == ["Bed 4"]
    assert service.uploads == [["a.png"]]


def test_the_chosen_population_goes_with_the_job_and_makes_another_one(
    submit: Submit, service: FakeService, folder: Path
) -> None:
    submit(folder)
    submit(folder, "--population", "child")
    assert service.populations == [None, "child"]
    assert job_key("n", [folder], "bulk") != job_key("n", [folder], "bulk", "child")


def test_the_same_command_sends_nothing_again(submit: Submit, service: FakeService, folder: Path) -> None:
    submit(folder)
    service.uploads.clear()

    result = submit(folder)

    assert result.exit_code == 0
    assert service.uploads == []
    assert len(service.keys) == 1
    assert len(service.images) == 5
    assert "Sent 0 files (5 were there already); 0 rejected." in result.stderr


def test_a_new_file_joins_its_job(submit: Submit, service: FakeService, folder: Path) -> None:
    submit(folder)
    (folder / "new.png").write_bytes(factories.png(99))
    service.uploads.clear()

    result = submit(folder)

    assert service.uploads == [["new.png"]]
    assert "6 files:" in result.stdout


def test_an_outage_in_the_middle(submit: Submit, service: FakeService, folder: Path) -> None:
    def outage(request: Request) -> Response | None:
        return problem(503, "Busy.", Retry_After="0") if request.path.endswith("/images") else None

    service.faults = [outage, outage, outage]

    result = submit(folder)

    assert result.exit_code == 0
    assert len(service.images) == 5
    assert service.faults == []


def test_some_fail_some_are_refused(submit: Submit, service: FakeService, folder: Path, tmp_path: Path) -> None:
    service.failing = {(folder / "a.png").read_bytes()}
    service.refused = {(folder / "b.png").read_bytes()}
    (folder / "letter.png").write_bytes(b"%PDF-1.7")

    result = submit(folder, "--csv", tmp_path / "out.csv")

    assert result.exit_code == 3
    assert "  normal             3\n  failed             1\n  rejected           2\n" in result.stdout
    assert "  a.png: The image is damaged.\n" in result.stdout
    assert "  b.png: Too large.\n" in result.stdout
    assert "  letter.png: Not a JPEG or PNG image: this looks like a PDF document.\n" in result.stdout
    rows = {row["filename"]: row for row in read_csv(tmp_path / "out.csv")}
    assert {name: row["state"] for name, row in rows.items()} == {
        "a.png": "failed",
        "b.png": "rejected",
        "letter.png": "rejected",
        "c.png": "done",
        "below/d.jpg": "done",
        "below/e.jpg": "done",
    }
    assert rows["c.png"]["model"] == "fake@ffffffffffff"
    assert rows["c.png"]["sha256"] == hashlib.sha256((folder / "c.png").read_bytes()).hexdigest()
    assert rows["b.png"]["error"] == "Too large."


def test_the_service_learns_the_total_and_what_was_rejected_here(
    submit: Submit, service: FakeService, folder: Path
) -> None:
    service.refused = {(folder / "b.png").read_bytes()}
    (folder / "letter.png").write_bytes(b"%PDF-1.7")
    (folder / "new\nline.png").write_bytes(b"")

    assert submit(folder).exit_code == 3

    assert service.expected == [7], "once: all came, or were told of"
    assert service.rejected == [
        ("letter.png", "Not a JPEG or PNG image: this looks like a PDF document."),
        ("new\ufffdline.png", "The file is empty (0 bytes)."),
    ]


def test_many_rejected_files_are_told_in_pieces(submit: Submit, service: FakeService, folder: Path) -> None:
    for number in range(1001):
        (folder / f"{number}.png").write_bytes(b"")

    submit(folder)

    assert len(service.rejected) == len(set(service.rejected)) == 1001
    assert service.requests.count(("POST", "/api/v1/jobs/1/rejected")) == 3


def test_equal_files_of_one_name_are_declared_as_the_one_image_that_they_are(
    submit: Submit, service: FakeService, tmp_path: Path
) -> None:
    with tarfile.open(tmp_path / "export.tar", "w") as archive:
        for data in (factories.png(), factories.png(), factories.png(1)):
            member = tarfile.TarInfo("a.png")
            member.size = len(data)
            archive.addfile(member, BytesIO(data))

    assert submit(tmp_path / "export.tar").exit_code == 0

    assert service.expected == [3, 2]
    assert len(service.images) == 2


def test_an_interrupted_command_declares_the_same_total_again(
    submit: Submit, service: FakeService, folder: Path
) -> None:
    def stop(request: Request) -> Response | None:
        return problem(403, "Not now.") if request.path.endswith("/images") else None

    (folder / "letter.png").write_bytes(b"%PDF-1.7")
    service.faults = [stop]
    assert submit(folder).exit_code == 1

    assert submit(folder).exit_code == 3

    assert service.expected == [6, 6]
    assert {name for name, _ in service.rejected} == {"letter.png"}
    assert len(service.keys) == 1


def test_a_service_of_an_older_version_is_told_nothing_it_does_not_know(
    submit: Submit, service: FakeService, folder: Path
) -> None:
    service.older = True
    (folder / "letter.png").write_bytes(b"%PDF-1.7")

    result = submit(folder)

    assert result.exit_code == 3
    assert result.stderr.count("of an older version") == 1
    assert service.expected == [None]
    assert len(service.images) == 5


@pytest.mark.parametrize("status", [404, 405, 422])
def test_a_service_that_takes_no_rejected_files_does_not_wait_for_them(
    submit: Submit, service: FakeService, folder: Path, status: int
) -> None:
    def old(request: Request) -> Response | None:
        return problem(status, "No such address.") if request.path.endswith("/rejected") else None

    service.faults = [old]
    (folder / "letter.png").write_bytes(b"%PDF-1.7")

    result = submit(folder)

    assert result.exit_code == 3
    assert result.stderr.count("of an older version") == 1
    assert service.expected == [6, 5]


def test_a_csv_name_is_no_formula(submit: Submit, tmp_path: Path) -> None:
    (tmp_path / "=cmd().png").write_bytes(factories.png())

    submit(tmp_path / "=cmd().png", "--csv", tmp_path / "out.csv")

    assert read_csv(tmp_path / "out.csv")[0]["filename"] == "'=cmd().png"


def test_a_zip_with_everything_wrong(submit: Submit, service: FakeService, tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.writestr("a.png", b"x")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.png", factories.png())
        archive.writestr("../../evil.png", factories.png(1))
        archive.writestr("inner.zip", (tmp_path / "inner.zip").read_bytes())
        archive.writestr("bomb.png", bytes(65 * 1024**2))

    result = submit(path)

    assert result.exit_code == 3
    assert "  normal             2\n  rejected           2\n" in result.stdout
    assert "bomb.png: The file unpacks to more than 64 MB" in result.stdout
    assert "inner.zip: An archive inside an archive is not opened" in result.stdout
    assert sorted(image["filename"] for image in service.images) == ["evil.png", "good.png"]


def test_nothing_to_send(submit: Submit, service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    (tmp_path / "notes.txt").write_text("hello")

    result = submit(tmp_path / "empty", tmp_path / "empty.zip", tmp_path / "notes.txt")

    assert result.exit_code == 3
    assert "  empty: The folder has no files.\n" in result.stdout
    assert "  empty.zip: The archive has no files.\n" in result.stdout
    assert "  notes.txt: Not a JPEG or PNG image" in result.stdout
    assert service.keys == {}, "no empty job is left behind"


def test_a_missing_path_sends_nothing(submit: Submit, service: FakeService, folder: Path) -> None:
    result = submit(folder, folder / "missing")

    assert result.exit_code == 2
    assert "does not exist" in result.stderr
    assert service.requests == []


def test_no_wait(submit: Submit, service: FakeService, folder: Path) -> None:
    result = submit(folder, "--no-wait")

    assert result.exit_code == 0
    assert result.stdout == f"Job 1: {service.url}/jobs/1\n"
    assert ("GET", "/api/v1/jobs/1") not in service.requests


def test_no_wait_lists_what_was_refused(submit: Submit, folder: Path) -> None:
    (folder / "letter.png").write_bytes(b"%PDF-1.7")

    result = submit(folder, "--no-wait")

    assert result.exit_code == 3
    assert "letter.png: Not a JPEG" in result.stdout


def test_a_csv_without_waiting_is_a_contradiction(submit: Submit, service: FakeService, folder: Path) -> None:
    result = submit(folder, "--no-wait", "--csv", folder.parent / "out.csv")

    assert result.exit_code == 2
    assert service.requests == []


def test_an_unwritable_csv_is_found_before_anything_is_sent(submit: Submit, service: FakeService, folder: Path) -> None:
    result = submit(folder, "--csv", folder.parent / "missing" / "out.csv")

    assert result.exit_code == 2
    assert service.requests == []


def test_skipped_files_are_counted(submit: Submit, folder: Path) -> None:
    (folder / ".DS_Store").touch()
    (folder / "out").symlink_to("/")

    result = submit(folder)

    assert result.exit_code == 0
    assert (
        "Skipped: system files (1), symbolic links that lead out of the folder (1). "
        "--follow-links reads what the links lead to.\n" in result.stderr
    )


def test_links_are_followed_when_asked(submit: Submit, service: FakeService, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "annexed").mkdir()
    (tmp_path / "annexed" / "one.png").symlink_to(folder / "a.png")

    result = submit(tmp_path / "annexed", "--follow-links")

    assert result.exit_code == 0
    assert service.uploads == [["one.png"]]
    assert "Skipped" not in result.stderr


def test_a_repaired_file_takes_the_place_of_the_one_before(
    submit: Submit, service: FakeService, folder: Path, tmp_path: Path
) -> None:
    service.failing = {(folder / "b.png").read_bytes()}
    assert submit(folder).exit_code == 3
    (folder / "b.png").write_bytes(factories.png(42))

    result = submit(folder, "--csv", tmp_path / "out.csv")

    assert result.exit_code == 0
    assert "5 files:\n  normal             5\n" in result.stdout
    rows = read_csv(tmp_path / "out.csv")
    assert sorted(row["filename"] for row in rows) == ["a.png", "b.png", "below/d.jpg", "below/e.jpg", "c.png"]
    assert {row["sha256"] for row in rows if row["filename"] == "b.png"} == {
        hashlib.sha256(factories.png(42)).hexdigest()
    }


def test_a_file_that_left_the_folder_is_not_told_of(submit: Submit, folder: Path) -> None:
    submit(folder)
    (folder / "b.png").unlink()

    assert "4 files:\n  normal             4\n" in submit(folder).stdout


ODD_NAMES = [
    " spaced .png ",
    "bell\x07.png",
    'quote".png',
    "back\\slash.png",
    "50%22.png",
    "line\nbreak.png",
    "rtl\u202e.png",
]


def test_rows_have_the_names_of_this_side(submit: Submit, folder: Path, tmp_path: Path) -> None:
    for seed, name in enumerate(ODD_NAMES):
        (folder / name).write_bytes(factories.png(100 + seed))
    for path in [*folder.glob("*.jpg"), *folder.glob("?.png")]:
        path.unlink()
    for _ in range(2):
        result = submit(folder, "--csv", tmp_path / "out.csv")
        assert result.exit_code == 0
        names = [row["filename"] for row in read_csv(tmp_path / "out.csv")]
        assert sorted(names) == sorted([*ODD_NAMES, "below/d.jpg", "below/e.jpg"])


def test_an_image_that_was_deleted_meanwhile_is_a_failure(
    submit: Submit, service: FakeService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.watch.watch", lambda *_: service.images.pop(0))

    result = submit(folder)

    assert result.exit_code == 3
    assert "  normal             4\n  failed             1\n" in result.stdout
    assert "does not have this image any more" in result.stdout


@pytest.mark.parametrize(
    "change", [lambda data: data + bytes(100_000), lambda data: data[:-200]], ids=["grows", "shrinks"]
)
def test_a_file_that_is_being_written_fails_alone(
    submit: Submit,
    service: FakeService,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[bytes], bytes],
) -> None:
    """It changes whenever it was hashed, as a copy that is still going on does."""
    from client import upload

    hash_it = upload._sha256

    def hash_and_change(file: BinaryIO) -> tuple[str, int]:
        answer = hash_it(file)
        if getattr(file, "name", None) == str(folder / "b.png"):
            (folder / "b.png").write_bytes(change((folder / "b.png").read_bytes()))
        return answer

    monkeypatch.setattr("client.upload._sha256", hash_and_change)

    result = submit(folder, "--csv", tmp_path / "out.csv")

    assert (result.exit_code, result.exception.__class__) == (3, SystemExit)
    assert "  b.png: The file changed while it was being sent" in result.stdout
    states = {row["filename"]: row["state"] for row in read_csv(tmp_path / "out.csv")}
    assert states == {
        "a.png": "done",
        "b.png": "rejected",
        "c.png": "done",
        "below/d.jpg": "done",
        "below/e.jpg": "done",
    }
    assert {image["filename"] for image in service.images} == states.keys() - {"b.png"}


def test_ctrl_c_says_that_it_can_go_on(
    submit: Submit, service: FakeService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("client.watch.watch", interrupt)

    result = submit(folder)

    assert result.exit_code == 130
    assert "the same command goes on from here" in result.stderr
    assert f"{service.url}/jobs/1" in result.stdout


def test_an_error_in_the_middle_says_so_too(submit: Submit, service: FakeService, folder: Path) -> None:
    service.faults = [lambda request: problem(409, "Job 1 was cancelled.") if "images" in request.path else None]

    result = submit(folder)

    assert result.exit_code == 1
    assert "the same command goes on from here" in result.stderr
    assert result.stderr.splitlines()[-1].endswith("answered 409: Job 1 was cancelled.")


def test_a_refused_token(invoke: Invoke, service: FakeService, folder: Path) -> None:
    result = invoke("submit", folder, "--url", service.url, "--token", "wrong")

    assert result.exit_code == 2
    assert "refused the token" in result.stderr
    assert service.requests == [("GET", "/api/v1/whoami")]


def test_nobody_at_the_address(invoke: Invoke, folder: Path) -> None:
    result = invoke("submit", folder, "--url", "http://127.0.0.1:9", "--token", TOKEN)

    assert result.exit_code == 1
    assert result.stderr.startswith("pneumoscreen: Cannot reach http://127.0.0.1:9 (")
    assert len(result.stderr.splitlines()) == 1


def test_address_and_token_from_the_environment(
    invoke: Invoke, service: FakeService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_URL", service.url + "/")
    monkeypatch.setenv("PNEUMOSCREEN_TOKEN", TOKEN)

    assert invoke("submit", folder).exit_code == 0


def test_the_token_that_up_left_behind(invoke: Invoke, service: FakeService, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_secret(tmp_path / "data" / "admin-token", TOKEN)

    assert invoke("submit", folder, "--url", service.url).exit_code == 0


def test_that_token_is_for_this_machine_only(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_secret(tmp_path / "data" / "admin-token", TOKEN)

    result = invoke("submit", folder, "--url", "http://elsewhere.example")

    assert result.exit_code == 2
    assert "only used for a service on this machine" in result.stderr


def test_no_token_at_all(invoke: Invoke, service: FakeService, folder: Path) -> None:
    result = invoke("submit", folder, "--url", service.url)

    assert result.exit_code == 2
    assert "Give an API token with --token or PNEUMOSCREEN_TOKEN" in result.stderr


def test_the_key_is_that_of_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    key = job_key("n", [folder], "bulk")

    assert len(key) == 64
    assert job_key("n", [Path()], "bulk") == key, "however the path is written"
    assert job_key("m", [folder], "bulk") != key
    assert job_key("n", [folder], "interactive") != key
    assert job_key("n", [folder / "a.png"], "bulk") != key
    assert job_key("n", [Path(os.fsdecode(b"\xff"))], "bulk") != key


def test_default_names() -> None:
    assert default_name([Path("/archive/2023/")]) == "2023"
    assert default_name([Path("a.png"), Path("b.png"), Path("c.png")]) == "a.png and 2 more"
    assert default_name([Path("/")]) == "/"
