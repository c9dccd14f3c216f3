"""The entry point of the command `pulpero`."""

import sys


def main() -> None:
    """Run the command that the arguments name, and exit as it says."""
    try:
        # Imported here, so that Ctrl-C while it loads is an end like any other.
        from streams.cli.commands import run

        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(130)
