"""The command line `qsp`."""
