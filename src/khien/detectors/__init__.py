"""Detectors: what we find, one file each."""
