"""The log of a process: what it writes, as text or JSON, whoever wrote the record."""
