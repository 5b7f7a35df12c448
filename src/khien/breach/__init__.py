"""Stolen accounts: rows of dumps, hashes, files of digests, ranges, VOPRF. Free of input and output but mapped files."""
