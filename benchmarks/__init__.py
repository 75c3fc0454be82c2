"""Benchmarks: OVASABI beside the limit of PostgreSQL and beside what others would write, in one run."""
