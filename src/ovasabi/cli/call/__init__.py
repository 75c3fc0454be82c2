"""`ovasabi call`: every method of every service from the command line."""
