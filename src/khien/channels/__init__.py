"""Channels: what hands notices, and reports of abuse, to somebody else."""
