"""Measurements: never a test, as no machine is quiet when tests run."""
