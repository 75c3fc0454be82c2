"""`ovasabi call`: calls any method of any service from the command line."""
