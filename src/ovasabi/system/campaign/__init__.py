"""Campaigns: the tenants. A campaign's number scopes everything in it."""
