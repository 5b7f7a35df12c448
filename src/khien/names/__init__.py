"""Imitation of names: normal forms, techniques, estate, lures, score. Free of input and output."""
