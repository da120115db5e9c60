"""How many examples: HYPOTHESIS_PROFILE=long, or --hypothesis-profile=long with this folder named.

`short`, the default, draws the same examples each time, so that a failure is a commit's and not the
dice's; `long` draws new ones, ten thousand for each property. With PROPERTY_SECONDS=3600 beside it,
all properties together draw new ones for an hour, a few at a time, each for the same time.
"""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

# Whole images are large examples; how long one may take is said by the tests that are about time.
USUAL = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

SECONDS = float(os.environ.get("PROPERTY_SECONDS", "0"))
"""What all properties may take together; 0 where `long` counts examples."""

settings.register_profile("short", USUAL, max_examples=30, derandomize=True, database=None)
settings.register_profile("long", USUAL, max_examples=20 if SECONDS else 10_000, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def is_property(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Call a property again and again, until its share of the time is over."""
    if not SECONDS or not is_property(pyfuncitem):
        return None
    share = SECONDS / sum(map(is_property, pyfuncitem.session.items))
    end = time.monotonic() + share
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    while True:
        pyfuncitem.obj(**arguments)
        if time.monotonic() >= end:
            return True
