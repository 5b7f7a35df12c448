"""What a message says and does: its plain form, what is personal in it, links, senders, tricks (pure)."""
