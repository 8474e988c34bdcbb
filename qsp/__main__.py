"""`python -m qsp` is the command line."""

from qsp.cli.app import main

if __name__ == "__main__":
    main()
