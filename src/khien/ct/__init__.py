"""Certificate transparency: leaves, tree heads, proofs, tiles, and what of a log was read. Free of input and output."""
