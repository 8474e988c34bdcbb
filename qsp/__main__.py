"""Command line, as `python -m qsp`."""

from qsp.cli.app import main

if __name__ == "__main__":
    main()
