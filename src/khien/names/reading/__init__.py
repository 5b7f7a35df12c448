"""Names out of the files people keep them in: pure parsers, blocks of bytes in, rows out."""
