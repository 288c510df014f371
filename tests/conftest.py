"""Hypothesis draws the same examples in every run, and this folder's modules can be imported by the tests."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "reproducible", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("reproducible")
