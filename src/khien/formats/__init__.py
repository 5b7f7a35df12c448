"""Formats: how what we share is written and read."""
