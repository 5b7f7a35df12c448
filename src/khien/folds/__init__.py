"""Folds: many rows in, fewer out, before they land."""
