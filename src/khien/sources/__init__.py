"""Where observables come from: one file a source."""
