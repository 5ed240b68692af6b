"""A clock for the processes of a stack that can be set while they run: libfaketime (Debian's `faketime`)."""

from __future__ import annotations

from pathlib import Path

from tests.absent import absent

LIBRARY = "faketime/libfaketimeMT.so.1"
CACHE_S = 1
"""How long a process goes on with the old time after the clock was set."""


class Clock:
    """Moves the time of day; what measures durations (CLOCK_MONOTONIC) goes on as it does on a real host."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset_s = 0
        self.move(0)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_CACHE_DURATION": str(CACHE_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def move(self, by_s: int) -> None:
        """So many seconds on, or back."""
        self._offset_s += by_s
        written = self._path.with_suffix(".new")
        written.write_text(f"{self._offset_s:+d}\n")
        written.chmod(0o644)
        written.rename(self._path)


def _library() -> Path:
    found = next(Path("/usr/lib").glob(f"*/{LIBRARY}"), None)
    if found is None:
        absent("libfaketime is not installed (Debian: faketime)")
    return found
