"""Mail: notices to constituents, and reports of abuse to who can end it."""
