"""Quotes: offers of a price for a while, accepted, rejected or expired."""
