"""Khiên: sees attacks on people early, warns those they concern, and keeps what must stand up later."""
