"""Configuration in, running parts out: the only place that assembles."""
