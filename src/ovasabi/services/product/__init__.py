"""Products: what a campaign offers, in variants with prices and stock."""
