"""Merges concurrent calls of one kind into one statement, and identical concurrent reads into one."""
