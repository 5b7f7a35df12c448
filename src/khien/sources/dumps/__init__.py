"""What leaked, from files: read into memory, and never anywhere else."""
