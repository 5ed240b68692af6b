"""All images of a list, for a CSV file."""

from __future__ import annotations

from db.listing import export
from db.listing.filters import Filters
from db.listing.order import Key, Sort, order_of
from tests.unit.db.conftest import Desk


def test_all_images_are_read_piece_by_piece(desk: Desk) -> None:
    _, made = desk.job(5)
    order = order_of(Sort.OLDEST, of_one_job=False)
    pieces: list[list[int | None]] = []
    after: Key | None = None
    while not pieces or after is not None:
        with desk.database.read() as session:
            piece = export.piece(session, Filters(), order, after, limit=2)
            pieces.append([row.image_id for row in piece.rows])
        after = piece.end
    assert pieces == [made[:2], made[2:4], made[4:]]
