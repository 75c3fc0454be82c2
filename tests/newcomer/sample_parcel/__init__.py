"""Parcels: what a campaign sends, with a field of every kind."""
