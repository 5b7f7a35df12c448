"""Engines: where detectors run."""
