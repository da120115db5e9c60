"""How many examples: HYPOTHESIS_PROFILE=long, or --hypothesis-profile=long with this folder named.

`short`, the default, draws the same examples each time, so that a failure is a commit's and not the
dice's; `long` draws new ones, ten thousand for each property.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Whole images are large examples; how long one may take is said by the tests that are about time.
USUAL = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

settings.register_profile("short", USUAL, max_examples=30, derandomize=True, database=None)
settings.register_profile("long", USUAL, max_examples=10_000, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
