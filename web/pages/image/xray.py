"""The X-ray on the page of an image: which picture of it is shown, and where on it the map lies."""

from __future__ import annotations

from dataclasses import dataclass

from db.tables import Image, Prediction


@dataclass(frozen=True, slots=True)
class XRay:
    """The shown picture, `width` x `height` pixels; in the same pixels, the part of it that the model judged.

    `as_sent`: it is the uploaded file.
    """

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
        """Whether the model judged a part of the picture only."""
        return (self.map_width, self.map_height) != (self.width, self.height)


def xray_of(image: Image, primary: Prediction | None, *, file_url: str, picture_url: str, has_picture: bool) -> XRay:
    """The upright picture that a worker made, or the file itself if every browser shows it as the model saw it."""
    url = picture_url if has_picture else file_url
    if primary is None or primary.box is None:  # not screened yet, or by a release that judged every image whole
        width, height = image.width_px, image.height_px
        return XRay(url, width, height, 0, 0, width, height, as_sent=not has_picture)
    width, height, left, top, right, bottom = primary.box
    return XRay(url, width, height, left, top, right - left, bottom - top, as_sent=not has_picture)
