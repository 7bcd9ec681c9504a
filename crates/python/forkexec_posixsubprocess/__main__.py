"""Shows which module is in use, and measures both modules on this machine."""

import argparse
import os
import subprocess
import sys

from . import _startup, status
from ._measure import measure, popen


def main():
    parser = argparse.ArgumentParser(prog="python -m forkexec_posixsubprocess", description=__doc__)
    parser.add_argument("action", nargs="?", default="status", choices=["status", "enable", "disable"],
                        help="status (default): show which module is in use; enable: use this package's module in every "
                             "process of this environment; disable: revert enable")
    parser.add_argument("--rounds", type=int, default=100, help="starts per measurement (default: 100; 0: no measurement)")
    options = parser.parse_args()
    if options.action == "enable":
        print("enabled for all processes of this environment:", _startup.enable())
    elif options.action == "disable":
        print("disabled for this environment:", _startup.disable())
    else:
        show(options.rounds)


def show(rounds):
    now = status()
    print("interpreter      ", sys.version.split()[0], sys.executable)
    print("_posixsubprocess ", now.module or "built in", "(this package's)" if now.installed else "(the interpreter's own)")
    print("for every process", "yes, by the .pth file" if _startup.is_enabled() else "no (python -m forkexec_posixsubprocess enable)")
    if now.may_posix_spawn:
        print("posix_spawn      ", "subprocess bypasses either module if it can")
    print("low numbers      ", len(now.low_numbers) or "none reserved yet")
    if rounds > 0:
        print("\nstart to end, lower quartile in µs:            stock  forkexec  ratio")
        for name, start in scenarios():
            stock, ours, _ = measure(start, rounds)
            print("  {:36} {:7.0f} {:9.0f} {:6.2f}".format(name, stock, ours, stock / ours))


def scenarios():
    yield "Popen", popen()
    yield "cwd=", popen(cwd="/")
    yield "captured output", popen(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(2)]
    yield "two adjacent pass_fds", popen(pass_fds=files)
    if sys.version_info >= (3, 9) and hasattr(os, "geteuid"):
        yield "user=", popen(user=os.geteuid())
    for file in files:
        os.close(file)


if __name__ == "__main__":
    main()
