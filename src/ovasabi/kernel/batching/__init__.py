"""Concurrent calls of one kind as one statement, and one answer for callers who ask the same."""
