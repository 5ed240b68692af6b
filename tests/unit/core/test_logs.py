"""Logs: a line an event, with ids to search by and nothing that names a patient."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from core import logs
from core.settings import Settings
from tests.testing.settings import make_settings


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """`configure` changes the whole process: put back what pytest had set up."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    hooks = sys.excepthook, threading.excepthook
    structlog.contextvars.clear_contextvars()
    yield
    root.handlers, root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_line_of_json_with_its_ids(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(make_settings(log_format="json"), "worker")
    structlog.get_logger().warning("image_failed", image_id=7, code="corrupt_image")
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "image_failed", "image_id": 7, "code": "corrupt_image", "level": "warning", "process": "worker",
    }  # fmt: skip


def test_a_crash_is_still_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(make_settings(log_format="json"), "web")
    try:
        raise ZeroDivisionError("boom")
    except ZeroDivisionError:
        structlog.get_logger().exception("request_crashed")
    (line,) = lines(capsys)
    assert line["exception"][0]["exc_type"] == "ZeroDivisionError"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_local_variable(capsys: pytest.CaptureFixture[str], form: Literal["json", "text"]) -> None:
    logs.configure(make_settings(log_format=form), "web")

    def crash(filename: str) -> None:
        raise ValueError(len(filename))

    try:
        crash("mueller-" + "anna.png")
    except ValueError:
        structlog.get_logger().exception("request_crashed")
    written = capsys.readouterr().err
    assert "request_crashed" in written
    assert "mueller-anna.png" not in written


def test_records_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(make_settings(log_format="json"), "web")
    logging.getLogger("gunicorn.error").error("listening on %s", "port")
    (line,) = lines(capsys)
    assert (line["event"], line["process"], line["level"]) == ("listening on port", "web", "error")


def test_text_logs_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings(), "sweeper")
    structlog.get_logger().info("swept", published=3)
    written = capsys.readouterr().err
    assert "swept" in written
    assert "published=3" in written.replace("\x1b[0m", "")


def test_what_is_below_the_level_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(make_settings(log_level="ERROR"), "web")
    structlog.get_logger().warning("quiet")
    assert capsys.readouterr().err == ""


def test_chatty_libraries_speak_up_only_when_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(make_settings(log_level="DEBUG", log_format="json"), "web")
    logging.getLogger("httpx").info("GET http://host/images/secret-name.png")
    logging.getLogger("kombu").warning("connection lost")
    assert [line["event"] for line in lines(capsys)] == ["connection lost"]


def test_a_worker_is_named_in_every_line_whichever_thread_writes_it(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(make_settings(log_format="json"), "worker", worker="host:12:ab")
    thread = threading.Thread(target=lambda: structlog.get_logger().info("decoded"))
    thread.start()
    thread.join()
    logging.getLogger("celery").warning("reconnected")
    assert [line["worker"] for line in lines(capsys)] == ["host:12:ab", "host:12:ab"]


def test_what_nobody_caught_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(make_settings(log_format="json"), "sweeper")

    def crash() -> None:
        raise ZeroDivisionError

    thread = threading.Thread(target=crash, name="janitor")
    thread.start()
    thread.join()
    try:
        crash()
    except ZeroDivisionError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    in_thread, in_process = lines(capsys)
    assert (in_thread["event"], in_thread["thread"]) == ("thread_crashed", "janitor")
    assert (in_process["event"], in_process["level"]) == ("process_crashed", "critical")
    assert in_process["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_a_warning_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(make_settings(log_format="json"), "web")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)  # `catch_warnings` has put back what it replaces
        warnings.warn("old interface", DeprecationWarning, stacklevel=1)
    (line,) = lines(capsys)
    assert "old interface" in line["event"]


def test_a_library_with_a_handler_of_its_own_gives_it_up(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("a_library_that_prints")
    logger.addHandler(logging.StreamHandler())
    logger.propagate = False
    logs.configure(make_settings(log_format="json"), "web")
    logger.warning("listening")
    assert [line["event"] for line in lines(capsys)] == ["listening"]
