"""The supervisor, with real small processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import ConfigurationError
from launcher import supervisor as supervisors
from launcher.supervisor import ChildFailed, Spec, Supervisor, describe_status, last_sentence, tail
from tests.unit.launcher.test_lifeline import wait_until_gone

SLEEP = "import time; print('up', flush=True); time.sleep(600)"
WAITS_FOR_THE_OTHERS = """
import pathlib, signal, sys, time
def stop(*_):
    pathlib.Path("{own}").touch()
    while len(list(pathlib.Path("{folder}").glob("*.asked"))) < 3:
        time.sleep(0.01)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


class Clock:
    """Monotonic seconds that only a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Case:
    """A supervisor whose children log to `folder` and whose notes are kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self.clock = Clock()
        self.supervisor = Supervisor(notify=self.notes.append, clock=self.clock)

    def start(self, code: str, name: str = "worker", stop_timeout_s: float = 120) -> None:
        argv = [sys.executable, "-c", code]
        self.supervisor.start(Spec(name, argv, os.environ, self.log(name), stop_timeout_s))

    def log(self, name: str = "worker") -> Path:
        return self.folder / f"{name}.log"

    def pid(self, name: str = "worker") -> int:
        process = self.supervisor.children[name].process
        assert process is not None
        return process.pid

    def wait_for_death(self, name: str = "worker") -> None:
        process = self.supervisor.children[name].process
        assert process is not None
        process.wait(120)

    def wait_for_log(self, text: str, name: str = "worker") -> None:
        deadline_s = time.monotonic() + 120
        while text not in self.log(name).read_text():
            assert time.monotonic() < deadline_s, f"{text!r} never came"
            time.sleep(0.01)


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path)
    yield made
    made.supervisor.stop(list(made.supervisor.children), hurry=lambda: True)


def test_output_goes_to_the_log(case: Case) -> None:
    case.start("import sys; print('out', flush=True); print('err', file=sys.stderr)")
    case.wait_for_death()

    assert case.log().read_text() == "out\nerr\n"


def test_a_killed_child_is_started_again(case: Case) -> None:
    case.start(SLEEP)
    first = case.pid()

    os.kill(first, signal.SIGKILL)
    case.wait_for_death()
    case.supervisor.check()
    assert case.supervisor.children["worker"].process is None, "not before its delay is over"
    case.clock.now_s += 0.5
    case.supervisor.check()

    assert case.pid() != first
    assert case.notes == ["worker was killed by SIGKILL: starting it again in 0.5 s"]


def test_a_child_that_ended_by_itself_has_its_last_words_shown(case: Case) -> None:
    case.start("raise SystemExit('the model is missing')")
    case.wait_for_death()

    case.supervisor.check()

    assert case.notes == ["worker exited with status 1: starting it again in 0.5 s", "  the model is missing"]


def test_delays_double_and_five_deaths_in_a_minute_are_enough(case: Case) -> None:
    case.start("raise SystemExit('no such device')")
    for delay_s in (0.5, 1, 2, 4):
        case.wait_for_death()
        case.supervisor.check()
        assert case.notes[-2].endswith(f"in {delay_s:g} s")
        case.clock.now_s += delay_s
        case.supervisor.check()
    case.wait_for_death()

    with pytest.raises(ChildFailed, match=r"(?s)worker ended 5 times in 60 s .*no such device") as caught:
        case.supervisor.check()

    assert str(case.log()) in caught.value.message


def test_deaths_long_ago_do_not_count(case: Case) -> None:
    case.start("pass")
    for _ in range(12):
        case.wait_for_death()
        case.supervisor.check()
        case.clock.now_s += 61
        case.supervisor.check()

    assert all(note.endswith("in 0.5 s") for note in case.notes if note.startswith("worker"))


def test_wrong_settings_are_not_tried_again(case: Case) -> None:
    case.start(
        "import sys; print('a warning\\npneumoscreen: Set PNEUMOSCREEN_SECRET_KEY.\\n(core dumped)'); sys.exit(2)"
    )
    case.wait_for_death()

    with pytest.raises(ConfigurationError) as caught:
        case.supervisor.check()

    assert caught.value.message == "Set PNEUMOSCREEN_SECRET_KEY."
    assert case.notes == []


def test_what_was_said_last_is_told_where_no_sentence_of_ours_is(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("valkey: bad option\n")

    assert last_sentence(tmp_path / "log") == "valkey: bad option"


def test_what_a_dead_child_had_started_is_ended(case: Case) -> None:
    case.start(
        "import os, subprocess, sys, time\n"
        f"print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid, flush=True); time.sleep(600)"
    )
    case.wait_for_log("up")
    grandchild = int(case.log().read_text().split()[0])

    os.kill(case.pid(), signal.SIGKILL)
    case.wait_for_death()
    case.supervisor.check()

    assert wait_until_gone(grandchild)


def test_stopping_is_asked_for_first(case: Case) -> None:
    case.start("import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(print('bye')))\n" + SLEEP)
    case.wait_for_log("up")

    case.supervisor.stop(["worker", "unknown"])

    assert case.log().read_text() == "up\nbye\n"
    assert case.supervisor.children == {}
    assert case.notes == []


def test_several_stop_together(case: Case) -> None:
    names = ("worker-1", "worker-2", "worker-3")
    for name in names:
        case.start(WAITS_FOR_THE_OTHERS.format(own=case.folder / f"{name}.asked", folder=case.folder) + SLEEP, name)
    for name in names:
        case.wait_for_log("up", name)

    case.supervisor.stop(names)

    assert case.notes == [], "asked one after the other, the first would have been killed"


def test_whoever_does_not_stop_is_killed(tmp_path: Path) -> None:
    notes: list[str] = []
    case = Case(tmp_path)
    case.supervisor = Supervisor(notify=notes.append)
    case.start(DEAF, stop_timeout_s=0.2)
    case.wait_for_log("up")
    pid = case.pid()

    case.supervisor.stop(["worker"])

    assert wait_until_gone(pid)
    assert notes == ["worker did not stop in 0.2 s: killing it"]


def test_a_second_ctrl_c_kills_at_once(case: Case) -> None:
    case.start(DEAF, stop_timeout_s=600)
    case.wait_for_log("up")
    pid = case.pid()

    case.supervisor.stop(["worker"], hurry=lambda: True)

    assert wait_until_gone(pid)


def test_stopping_a_child_between_two_lives(case: Case) -> None:
    case.start("pass")
    case.wait_for_death()
    case.supervisor.check()

    case.supervisor.stop(["worker"])

    assert case.supervisor.children == {}


def test_before_each_start(case: Case) -> None:
    calls: list[str] = []
    argv = [sys.executable, "-c", "pass"]
    case.supervisor.start(Spec("worker", argv, os.environ, case.log(), 5, lambda: calls.append("before")))
    case.wait_for_death()
    case.supervisor.check()
    case.clock.now_s += 1
    case.supervisor.check()

    assert calls == ["before", "before"]


def test_children_do_not_hear_the_terminals_ctrl_c(case: Case) -> None:
    case.start(SLEEP)

    assert os.getpgid(case.pid()) != os.getpgid(0)


def test_only_the_given_files_are_inherited(tmp_path: Path) -> None:
    case = Case(tmp_path)
    kept, kept_write = os.pipe()
    other, other_write = os.pipe()
    case.supervisor = Supervisor(notify=print, keep_fds=[kept])

    case.start(
        "import os\n"
        f"for fd in ({kept}, {other}):\n"
        "    try: os.fstat(fd); print('open')\n"
        "    except OSError: print('closed')\n"
    )
    case.wait_for_death()

    assert case.log().read_text() == "open\nclosed\n"
    case.supervisor.stop(["worker"])
    for fd in (kept, kept_write, other, other_write):
        os.close(fd)


def test_a_large_log_is_put_aside(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisors, "LOG_LIMIT_BYTES", 10)
    case.log().write_text("from long ago")

    case.start("print('new')")
    case.wait_for_death()

    assert case.log().read_text() == "new\n"
    assert (case.folder / "worker.log.1").read_text() == "from long ago"


def test_describe_status() -> None:
    assert describe_status(0) == "exited with status 0"
    assert describe_status(-9) == "was killed by SIGKILL"
    assert describe_status(-63) == "was killed by signal 63"


def test_tail(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff" + b"".join(b"line %d\n" % number for number in range(10_000)))

    assert tail(path, lines=2) == "  line 9998\n  line 9999"
    path.write_text("")
    assert tail(path) == "  (the log is empty)"
    assert tail(tmp_path / "none") == "  (no log: No such file or directory)"
