"""All images of a list, for a CSV file."""

from __future__ import annotations

from db.listing import export
from db.listing.filters import Filters
from tests.unit.db.conftest import Desk


def test_all_images_are_read_page_by_page(desk: Desk) -> None:
    _, made = desk.job(5)
    pages: list[list[int | None]] = []
    cursor: int | None = None
    while not pages or cursor is not None:
        with desk.database.read() as session:
            page = export.page(session, Filters(), cursor, newest_first=False, limit=2)
            pages.append([row.image_id for row in page.items])
        cursor = page.next_cursor
    assert pages == [made[:2], made[2:4], made[4:]]
