"""What to do when it already happened, and whom to turn to: as files have it, and held to their rules."""
