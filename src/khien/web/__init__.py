"""The site that people look at, and the report that holds the same pages as files."""
