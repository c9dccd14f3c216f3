"""`python -m streams` is the command `pulpero`."""

from streams.cli.main import main

main()
