"""Sources that wait for others: what they have in common, and each of them."""
