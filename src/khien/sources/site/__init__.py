"""Whether a page answers: its status and title, nothing else of it."""
