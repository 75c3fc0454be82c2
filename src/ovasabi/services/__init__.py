"""The services of products: one folder each, independent of each other; nobody imports them."""
