"""Product services: one folder each, independent of each other; no other package imports them."""
