"""Batch: reports and sweeps, without a person at the screen."""
