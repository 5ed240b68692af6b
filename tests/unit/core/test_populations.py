"""Which population an age is of, and what is known of an image beforehand."""

from __future__ import annotations

import math

import pytest

from core.populations import Known, Population, PopulationBy, known, of_age


@pytest.mark.parametrize(("age_years", "population"), [(0, "child"), (15.9, "child"), (16, "adult"), (90, "adult")])
def test_the_age_decides_at_sixteen(age_years: float, population: str) -> None:
    assert of_age(age_years) == population


@pytest.mark.parametrize("age_years", [-1, math.nan])
def test_what_is_no_age_is_no_adult(age_years: float) -> None:
    with pytest.raises(ValueError, match="no age"):
        of_age(age_years)


def test_a_choice_goes_before_the_age_and_neither_is_unknown() -> None:
    assert known(Population.ADULT, 4) == Known(Population.ADULT, PopulationBy.CHOSEN)
    assert known(None, 4) == Known(Population.CHILD, PopulationBy.AGE)
    assert known(None) is None
