"""Confined processes with any entry point. Knows nothing of courses, tests or wires."""
