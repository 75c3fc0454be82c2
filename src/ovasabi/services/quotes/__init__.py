"""Quotes: prices offered for a limited time, and then accepted, rejected or expired."""
