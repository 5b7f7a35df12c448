"""Collect, fold, detect, warn, deliver: each step may be cut off anywhere and run again."""
