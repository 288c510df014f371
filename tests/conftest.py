"""Hypothesis draws the same examples in every run; what is compiled is kept; the tests can import this folder's modules."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from mho.cache import keep_compiled_programs

settings.register_profile(
    "reproducible", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("reproducible")


def pytest_configure(config: pytest.Config) -> None:
    """All workers, the processes that tests start and the next run read compiled programs from pytest's cache folder.

    `pytest --cache-clear` compiles anew.
    """
    if hasattr(config, "cache"):
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("MHO_CACHE_DIR", str(config.cache.mkdir("mho")))
            keep_compiled_programs()


@pytest.fixture(scope="module")
def compiled_in_haste() -> Iterator[None]:
    """For modules that compile much, compute little and ask nothing of float32's rounding: two thirds of the time."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.clear_caches()
