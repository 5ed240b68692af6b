"""Every source is told with its terms, or the run ends before it has begun."""

from __future__ import annotations

import pytest

from core.errors import ConfigurationError
from training.config import DEFAULT_CONFIG, Provenance, load_config
from training.release import provenance


def test_every_source_is_told_with_its_terms_or_none() -> None:
    ward = Provenance(citation="Ward (2020)", licence="CC0")
    bedside = Provenance(citation="as ward", licence="not for commercial use")
    assert provenance.described({}, ["anything"])["licence"] == "CC BY 4.0"
    told = provenance.described({"ward": ward, "bedside": bedside, "unused": ward}, ["ward", "bedside", "ward"])
    assert told == {
        "source": "bedside: as ward; ward: Ward (2020)",
        "licence": "bedside: not for commercial use; ward: CC0",
    }
    with pytest.raises(ConfigurationError, match=r"images of other come from.*\[data\.provenance\.other\]"):
        provenance.described({"ward": ward}, ["ward", "other"])


def test_the_configuration_for_all_ages_tells_of_all_its_sources() -> None:
    data = load_config(DEFAULT_CONFIG.with_name("all_ages.toml")).data
    assert set(data.populations) == set(data.provenance) == {"chest_xray_224", "rsna", "rsna_rt", "siim"}
    assert "adults" in data.trained_on
