"""What an image shows, in the words that models, database, API and pages share."""

from __future__ import annotations

from enum import StrEnum


class ImageKind(StrEnum):
    """An upright frontal chest X-ray, or what it is instead. Turned left: the patient's head is at the left edge."""

    FRONTAL = "frontal"
    LATERAL = "lateral"
    TURNED_LEFT = "turned_left"
    TURNED_RIGHT = "turned_right"
    UPSIDE_DOWN = "upside_down"
    NEGATIVE = "negative"
    SEVERAL = "several"
    """Two or more radiographs in one picture."""
    PART = "part"
    """Half a chest, or lungs that are cut off."""
    OTHER = "other"


class View(StrEnum):
    """How the rays went through the chest: from the back (PA), from the front (AP), or from the side."""

    PA = "pa"
    AP = "ap"
    LATERAL = "lateral"
