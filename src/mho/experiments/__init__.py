"""Experiments: named configurations, the data they learn from, and the run from the first step to the plots."""
