"""The commands: their words, arguments and help. What they do is imported when one runs."""
