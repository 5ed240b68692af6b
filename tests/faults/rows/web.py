"""The web process killed between a file's first byte and its message."""

from __future__ import annotations

import socket

from tests.faults.matrix import Row, Run
from tests.testing import factories
from web.intake.multipart import PIECE_BYTES

MOMENTS = {
    "after_blob": "bytes stored, no row",
    "after_row": "row written, not committed",
    "before_publish": "after the commit, before the message",
}


def kill_at(point: str) -> Row:
    return Row("kill -9 web", MOMENTS[point], inject=lambda run: run.order(point, "kill"))


def kill_mid_upload(run: Run) -> None:
    """Half a file has arrived, and is spooled, when the process dies."""
    data = factories.png(run.rng.getrandbits(32), size_px=(2400, 1800))
    sent = data[: 4 * PIECE_BYTES]  # less than a piece waits in the server
    assert len(sent) < len(data)
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{run.load.full_name("half.png")}"\r\n\r\n'
    request = (
        f"POST /api/v1/jobs/{run.load.job_id}/images HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {run.stack.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(head) + len(data) + 9}\r\n\r\n{head}"
    )
    spools = run.stack.settings.storage.blobs / "incoming"
    with socket.create_connection(("127.0.0.1", run.stack.settings.web.port), timeout=30) as connection:
        connection.sendall(request.encode() + sent)
        run.wait_until(lambda: any(spool.stat().st_size > 10_000 for spool in spools.iterdir()), "half a file")
        run.stack.web.kill()
    run.load.ledger.refused[run.load.full_name("half.png")] = "half sent"


ROWS = [
    Row("kill -9 web", "in the middle of an upload", inject=kill_mid_upload),
    *(kill_at(point) for point in MOMENTS),
]
