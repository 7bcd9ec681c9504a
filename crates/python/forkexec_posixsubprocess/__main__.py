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
    for name, value in facts(now):
        print(styled(BOLD, "{:19}".format(name)) + value)
    if rounds <= 0:
        return
    print("\n" + styled(BOLD, "{:35}{:>9}{:>10}{:>8}".format("start to end, lower quartile in µs", "stock", "forkexec", "ratio")))
    for name, start in scenarios():
        stock, ours, _ = measure(start, rounds)
        ratio = stock / ours
        style = GREEN if ratio >= 1.05 else RED if ratio < 0.95 else PLAIN
        print("  {:33}{:9.0f}{:10.0f}{}".format(name, stock, ours, styled(style, "{:8.2f}".format(ratio))), flush=True)


def facts(now):
    yield "interpreter", "{} {}".format(sys.version.split()[0], sys.executable)
    yield "_posixsubprocess", "this package's" if now.installed else "the interpreter's own"
    yield "", now.module or "built in"
    yield "for every process", "yes, by the .pth file" if _startup.is_enabled() else "no (python -m forkexec_posixsubprocess enable)"
    if now.may_posix_spawn:
        yield "posix_spawn", "subprocess bypasses either module if it can"
    yield "low numbers", str(len(now.low_numbers) or "none reserved yet")


#: Parameters of the escape sequence that sets a style. The colours are readable on a light and on a dark background.
PLAIN, BOLD, RED, GREEN = "", "1", "31", "32"


def styled(style, text):
    """Returns the text with the style, if the output is a terminal that shows it and NO_COLOR is not set."""
    shows = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")
    return "\033[{}m{}\033[0m".format(style, text) if style and shows else text


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
