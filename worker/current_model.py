"""Which model the next batch goes through."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from model.loaded import LoadedModel

Load = Callable[[], LoadedModel]


class CurrentModel:
    """Loads models in the one thread of `network`, which then calls them: torch keeps threads of its own for it."""

    def __init__(self, load: Load, network: Executor) -> None:
        self._load = load
        self._network = network
        self._model: LoadedModel | None = None

    def get(self) -> LoadedModel:
        """Loaded when it is asked for first."""
        return self._model or self.swap(self._load)

    def swap(self, load: Load) -> LoadedModel:
        """Load another model, which every batch goes through that is forwarded from now on; returns it.

        Blocks until it is loaded, and the network stands meanwhile. Batches that are in the network keep the model
        that they were forwarded with, and are stored under its sha256. On an error nothing has changed.
        """
        self._model = self._network.submit(load).result()
        return self._model
