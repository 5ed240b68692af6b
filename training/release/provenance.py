"""Where training data come from, and under which terms, as the card tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.errors import ConfigurationError
from training.config import Provenance

DATA_SOURCE = (
    "Kermany, Zhang and Goldbaum (2018), Labeled Optical Coherence Tomography (OCT) and Chest X-Ray Images for "
    "Classification, Mendeley Data, doi:10.17632/rscbjbr9sj; the train and val folders of its chest X-ray part"
)
DATA_LICENCE = "CC BY 4.0"


def described(known: Mapping[str, Provenance], sources: Iterable[str]) -> dict[str, str]:
    """`source` and `licence` of the card's training data, with what is told of each source that has images.

    Nothing told of any means the set that the project itself begins with.

    Raises:
        ConfigurationError: of one source nothing is told, of another something.
    """
    if not known:
        return {"source": DATA_SOURCE, "licence": DATA_LICENCE}
    names = sorted(set(sources))
    if missing := [name for name in names if name not in known]:
        raise ConfigurationError(
            f"The configuration does not say where the images of {missing[0]} come from, and under which terms: "
            f"add [data.provenance.{missing[0]}] with citation and licence."
        )
    told = {name: known[name] for name in names}
    return {
        "source": "; ".join(f"{name}: {one.citation}" for name, one in told.items()),
        "licence": "; ".join(f"{name}: {one.licence}" for name, one in told.items()),
    }
