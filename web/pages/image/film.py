"""What the image page shows of an X-ray, and where on it the map lies."""

from __future__ import annotations

from dataclasses import dataclass

from db.tables import Image, Prediction


@dataclass(frozen=True, slots=True)
class Film:
    """Sizes in the pixels of `width` x `height`; `left` to `map_height` is the part that the model judged."""

    url: str
    width: int
    height: int
    left: int
    top: int
    map_width: int
    map_height: int
    as_sent: bool

    @property
    def has_border(self) -> bool:
        """Whether the model judged only a part of it."""
        return (self.map_width, self.map_height) != (self.width, self.height)


def film(image: Image, newest: Prediction | None, *, file_url: str, picture_url: str, has_picture: bool) -> Film:
    """The upright picture if a worker made one, else the file, which browsers then show alike."""
    url = picture_url if has_picture else file_url
    if newest is None or newest.box is None:  # not screened yet, or by the release before, which cut off no border
        width, height = image.width_px, image.height_px
        return Film(url, width, height, 0, 0, width, height, as_sent=not has_picture)
    width, height, left, top, right, bottom = newest.box
    return Film(url, width, height, left, top, right - left, bottom - top, as_sent=not has_picture)
