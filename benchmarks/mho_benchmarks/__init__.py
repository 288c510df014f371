"""Benchmarks: measurements against peers in one run, told as ratios."""
