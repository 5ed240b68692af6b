"""Health of the container this runs in: `healthcheck.py web` or `healthcheck.py worker`. Exit status 0 or 1.

The slim image has no curl, and a worker has no port: it is healthy when its heartbeat shows in the database, which is
what the sweeper and `/readyz` go by as well.
"""

from __future__ import annotations

import http.client
import socket
import sys

TIMEOUT_S = 4.0


def web_is_healthy(port: int) -> bool:
    """True if `/healthz` answers 200. It asks for no database: a container is not restarted for another's failure."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def worker_is_healthy(database_url: str, hostname: str) -> bool:
    """True if a live worker's name begins with this container's host name, which Docker makes unique."""
    from db.session import Database, now
    from db.workers import alive

    database = Database(database_url)
    try:
        with database.read() as session:
            return any(worker.name.startswith(f"{hostname}:") for worker in alive(session, now(session)))
    finally:
        database.dispose()


def main(arguments: list[str]) -> int:
    from core.settings import load

    settings = load()
    match arguments:
        case ["web"]:
            healthy = web_is_healthy(settings.web.port)
        case ["worker"]:
            healthy = worker_is_healthy(settings.storage.database, socket.gethostname())
        case _:
            print("usage: healthcheck.py web|worker", file=sys.stderr)
            return 2
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
