"""Which model the next batch goes through: the first one until another is deployed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from model.loaded import LoadedModel
from worker.deployed_model import DeployedModel

Load = Callable[[], LoadedModel]


class CurrentModel:
    """Loads models in the one thread of `network`, which then calls them: torch keeps threads of its own for it."""

    def __init__(self, load: Load, network: Executor, deployed: DeployedModel | None = None) -> None:
        self._load = load
        self._network = network
        self._deployed = deployed
        self._model: LoadedModel | None = None

    @property
    def loaded(self) -> LoadedModel | None:
        """None until the first one is loaded."""
        return self._model

    def get(self) -> LoadedModel:
        """Loaded when it is asked for first."""
        if self._model is None:
            self._model = self._network.submit(self._load).result()
        return self._model

    def is_change_due(self) -> bool:
        """Whether another model is deployed, and may be tried now."""
        return self._deployed is not None and self._deployed.is_due(self.get().sha256)

    def change(self) -> None:
        """Take the deployed model if it is another one and can be loaded. Called when no batch is under way."""
        if self._deployed is not None and self.is_change_due():
            self._model = self._network.submit(self._deployed.replacement).result() or self._model
