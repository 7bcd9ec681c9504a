"""Measures starts with the interpreter's module and with this package's, in turn in one process.

usage: compare.py [--help] [--rounds N] [--descriptors N,...] [--gib N,...] [--check] [SCENARIO...]

Each row is a process with so many open descriptors and so much touched memory. Each number is the lower quartile in
microseconds, from Popen to the end of the program. The ratio is stock / forkexec: above 1, this package is faster. subprocess
does not bypass the modules with posix_spawn. If the system allows it, rows run with real-time priority, so that other processes
do not disturb them.

With --check, the exit status is 1 if a ratio is below 0.97, or below 1.5 where the interpreter's module leaves its fast path. Two
adjacent descriptors in pass_fds cost it little if few descriptors are open. "possible" is the gain of the interpreter's module with
only one of them, on its fast path. If that is below 1.5, it is the limit instead.
"""

import argparse
import json
import mmap
import os
import resource
import shutil
import subprocess
import sys
import tempfile

TOLERATED, WANTED = 0.97, 1.5

#: Names and options.
SCENARIOS = {
    "Popen": lambda fds: {},
    "cwd=": lambda fds: {"cwd": "/"},
    "captured output": lambda fds: {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
    "captured, reserved": lambda fds: {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
    "one pass_fds": lambda fds: {"pass_fds": fds[1:]},
    "adjacent pass_fds": lambda fds: {"pass_fds": fds},
    "close_fds=False": lambda fds: {"close_fds": False},
}
if sys.version_info >= (3, 9):
    SCENARIOS["user="] = lambda fds: {"user": os.geteuid()}
    SCENARIOS["umask="] = lambda fds: {"umask": 0o22}


#: Scenarios that reserve low descriptor numbers before they open descriptors.
LOW_NUMBERS = {"captured, reserved": 8}


#: Scenarios in which the interpreter's module leaves its fast path, with the one that stays on it. 3.8 and 3.9 have no fast path.
SLOW_BY_STOCK = {}
if sys.version_info >= (3, 10):
    SLOW_BY_STOCK["user="] = "Popen"
if sys.version_info >= (3, 11):
    SLOW_BY_STOCK["adjacent pass_fds"] = "one pass_fds"


def program(directory):
    """Returns a program that ends at once. If there is a compiler, it is static."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "/bin/true"
    source, path = os.path.join(directory, "exits.c"), os.path.join(directory, "exits")
    with open(source, "w") as file:
        file.write("int main(void) { return 0; }\n")
    done = subprocess.call([compiler, "-O2", "-static", "-o", path, source], stderr=subprocess.DEVNULL)
    return path if done == 0 else "/bin/true"


def raise_priority():
    """Sets a real-time priority. Returns False if the system refuses."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    except (AttributeError, OSError):
        return False
    return True


def can_raise_priority():
    code = "import sys, compare; sys.exit(not compare.raise_priority())"
    return subprocess.call([sys.executable, "-c", code], cwd=os.path.dirname(os.path.abspath(__file__))) == 0


def row(name, descriptors, gib, rounds, path):
    """Measures a row, in its own process. Returns both times, and that of the interpreter's module on its fast path or None."""
    import forkexec_posixsubprocess
    from forkexec_posixsubprocess import _measure
    raise_priority()
    forkexec_posixsubprocess.install(low_numbers=LOW_NUMBERS.get(name))
    forkexec_posixsubprocess.uninstall()
    fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(2)]
    crowd = [os.dup(fds[0]) for _ in range(descriptors - 10)]
    touched = mmap.mmap(-1, int(gib * 2 ** 30), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) if gib else None
    if touched is not None:
        for page in range(0, len(touched), 4096):
            touched[page] = 1
    _measure.PROGRAM[:] = [path]
    start = _measure.popen(**SCENARIOS[name](fds))
    fast = _measure.popen(**SCENARIOS[SLOW_BY_STOCK[name]](fds)) if name in SLOW_BY_STOCK else None
    _measure.measure(start, 3)
    times = _measure.measure(start, rounds, fast)
    del crowd
    return times


def judged(name, stock, ours, fast):
    """Returns True if the ratio meets the target, and a remark."""
    ratio = stock / ours
    if name not in SLOW_BY_STOCK:
        return ratio >= TOLERATED, "" if ratio >= TOLERATED else "< {}".format(TOLERATED)
    if ratio >= WANTED:
        return True, ""
    possible = stock / fast
    return ratio >= min(possible * TOLERATED, WANTED), "{:.2f} is possible".format(possible)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--descriptors", default="10,1000,19000")
    parser.add_argument("--gib", default="0,1")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("scenarios", nargs="*", default=list(SCENARIOS))
    options = parser.parse_args()
    if options.row:
        name, descriptors, gib, path = json.loads(options.row)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        print(json.dumps(row(name, descriptors, gib, options.rounds, path)))
        return
    bad = table(options)
    sys.exit(bool(bad) and options.check)


def table(options):
    """Prints the rows. Returns the number of those that miss their target."""
    priority = "real-time" if can_raise_priority() else "normal"
    print("CPython {}, {} rounds, {} priority".format(sys.version.split()[0], options.rounds, priority))
    print("{:20} {:>11} {:>4} {:>8} {:>8} {:>6}".format("", "descriptors", "GiB", "stock", "forkexec", "ratio"))
    bad = 0
    with tempfile.TemporaryDirectory() as directory:
        path = program(directory)
        for gib in options.gib.split(","):
            for descriptors in options.descriptors.split(","):
                for name in options.scenarios:
                    wanted = json.dumps([name, int(descriptors), float(gib), path])
                    command = [sys.executable, __file__, "--rounds", str(options.rounds), "--row", wanted]
                    stock, ours, fast = json.loads(subprocess.check_output(command).decode())
                    is_good, remark = judged(name, stock, ours, fast)
                    bad += not is_good
                    print("{:20} {:>11} {:>4} {:8.0f} {:8.0f} {:6.2f}  {}{}".format(
                        name, descriptors, gib, stock, ours, stock / ours, remark, "" if is_good else ": too slow").rstrip(), flush=True)
    return bad


if __name__ == "__main__":
    main()
