"""Runs a command that dies with its parent (`tethered`) or outlives it (`detached`). A program, not a module.

Usage: launcher.py PARENT_PID|detached LOCK_FD COMMAND…. The command inherits the open, locked file LOCK_FD, in
which its pid is written: the lock is held exactly as long as the command lives.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the command."""
    parent, lock, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    if parent == "detached":
        if os.fork():
            os._exit(0)
        os.setsid()
    elif sys.platform == "linux":
        # Survives execv. Linux sends the signal when the *thread* that started this process ends.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            sys.exit("the parent has ended")
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
