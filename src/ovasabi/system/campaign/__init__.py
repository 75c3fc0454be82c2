"""Campaigns: the tenants. A campaign's number is the scope of everything in it."""
