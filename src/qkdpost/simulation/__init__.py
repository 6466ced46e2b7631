"""Seeded models of sources, fibres and detectors: for tests, benchmarks and examples."""
