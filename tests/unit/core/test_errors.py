"""Error codes are an API contract: each is stable, short and the only one of its kind."""

from __future__ import annotations

import re

import pytest

import worker.predict  # noqa: F401  # defines an error of its own
from core.errors import Permanent, PneumoscreenError, Transient

STORED = {"core.errors", "worker.predict"}
"""Where the errors are defined that an image can end with; those of the command line are not stored."""


def every_error(base: type[PneumoscreenError] = PneumoscreenError) -> list[type[PneumoscreenError]]:
    below = [error for kind in base.__subclasses__() for error in every_error(kind)]
    return [kind for kind in [base, *below] if kind.__module__ in STORED]


NAMED = [kind for kind in every_error() if "code" in vars(kind)]


def test_every_code_is_used_once() -> None:
    codes = [kind.code for kind in NAMED]
    assert len(codes) == len(set(codes))


def test_every_concrete_error_has_a_code_of_its_own() -> None:
    bare = {kind.__name__ for kind in every_error() if kind not in NAMED}
    assert bare == {"Permanent", "Transient"}


@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
def test_a_code_is_a_lower_case_word_that_fits_its_column(kind: type[PneumoscreenError]) -> None:
    assert re.fullmatch(r"[a-z][a-z_]{2,31}", kind.code)


@pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.__name__)
def test_an_error_is_not_both_permanent_and_transient(kind: type[PneumoscreenError]) -> None:
    assert not (issubclass(kind, Permanent) and issubclass(kind, Transient))


def test_the_sentence_is_both_the_message_and_the_text() -> None:
    error = Permanent("The file is blue.")
    assert (error.message, str(error)) == ("The file is blue.", "The file is blue.")
