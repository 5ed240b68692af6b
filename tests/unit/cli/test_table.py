"""What is printed at the end."""

from __future__ import annotations

import pytest

from cli import table
from client.rows import Tally
from core.csv_lines import Row


def tally_of(*rows: Row) -> Tally:
    tally = Tally()
    for row in rows:
        tally.add(row)
    return tally


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    tally = tally_of(*[Row("n", "done", decision="normal")] * 1200, Row("bad.png", "failed", error="It is damaged."))

    table.print_summary(tally, csv_given=False)

    assert capsys.readouterr().out.splitlines() == [
        "1,201 files:",
        "  normal         1,200",
        "  failed             1",
        "Without a result:",
        "  bad.png: It is damaged.",
        table.DISCLAIMER,
    ]


def test_one_file_is_no_plural(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_summary(tally_of(Row("a", "done", decision="normal")), csv_given=False)

    assert capsys.readouterr().out.startswith("1 file:\n")


@pytest.mark.parametrize(("csv_given", "where"), [(False, "--csv"), (True, "the CSV file")])
def test_more_failures_than_are_listed(capsys: pytest.CaptureFixture[str], csv_given: bool, where: str) -> None:
    table.print_failures(tally_of(*[Row("x", "failed", error="No.")] * 23), csv_given=csv_given)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[-1] == f"  and 3 more, see {where}"


def test_a_cancelled_image_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_failures(tally_of(Row("a", "cancelled")), csv_given=False)

    assert "a: The job was cancelled." in capsys.readouterr().out


def test_a_name_cannot_steer_the_terminal_or_the_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_failures(tally_of(Row("\x1b[2J[red]x\nfake line", "failed", error="No.")), csv_given=False)

    assert capsys.readouterr().out.splitlines()[1] == "  \ufffd[2J[red]x\ufffdfake line: No."


def test_columns_are_aligned_and_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    table.print_rows(("name", "state"), [("a" * 120, "active"), ("[b]", "disabled")])

    head, first, second = capsys.readouterr().out.splitlines()
    assert head.index("state") == first.index("active") == second.index("disabled")
    assert second.startswith("[b] ")
