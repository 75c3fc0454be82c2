"""OVASABI: a multi-campaign backend platform on PostgreSQL."""

__version__ = "0.1.0"
