"""Measures on attention grids, answers and patients: pure functions on arrays."""
