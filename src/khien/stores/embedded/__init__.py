"""The embedded store: Parquet for rows, SQLite for records, files for blobs, all in one directory."""
