"""Whose chest an X-ray shows, a child's or an adult's, in the words that models, database, API and pages share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

CHILD_BELOW_YEARS = 16
"""Younger patients are children.

At 16 the chest has about the size and the proportions of an adult's, and its X-ray is taken as an adult's. Hospitals
draw the line between 14 and 18; the children that models learn from are far younger.
"""


class Population(StrEnum):
    CHILD = "child"
    ADULT = "adult"


class PopulationBy(StrEnum):
    """How the population of an image is known: from the patient's age, from its pixels, or because a person said it."""

    AGE = "age"
    NETWORK = "network"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Known:
    """A population that is known beforehand, and how; never by the network."""

    population: Population
    by: PopulationBy


def of_age(age_years: float) -> Population:
    """The population of a patient of this age.

    Raises:
        ValueError: it is negative, or no number.
    """
    if not age_years >= 0:
        raise ValueError(f"{age_years} is no age in years")
    return Population.CHILD if age_years < CHILD_BELOW_YEARS else Population.ADULT


def known(chosen: Population | None, age_years: float | None = None) -> Known | None:
    """What is known of an image beforehand: what a person chose goes before the patient's age; None for neither."""
    if chosen is not None:
        return Known(chosen, PopulationBy.CHOSEN)
    return None if age_years is None else Known(of_age(age_years), PopulationBy.AGE)
