"""Certificate transparency logs, read as they grow."""
