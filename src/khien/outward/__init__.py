"""Reaching out to whoever is there, without being led to where nobody outside should lead us."""
