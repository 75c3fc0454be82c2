"""`python -m ovasabi`: the same as the command `ovasabi`."""

from ovasabi.cli import main

if __name__ == "__main__":
    main()
