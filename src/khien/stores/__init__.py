"""Stores: where rows and records are kept."""
