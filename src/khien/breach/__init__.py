"""Stolen accounts: rows of dumps, hashes, files of digests, ranges, VOPRF. Pure but for mapped files."""
