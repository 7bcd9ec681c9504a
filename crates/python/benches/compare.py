"""What a start costs by the interpreter's module and by this package's, side by side in one process.

usage: compare.py [--help] [--rounds N] [--descriptors N,...] [--gib N,...] [--check] [SCENARIO...]

Each row is a process of its own with so many descriptors open and so much memory touched. The two modules take turns; a
number is the lower quartile in microseconds, from Popen to the end of the program, and the ratio is stock / forkexec: above 1 this
package is faster. subprocess is kept from going past both by posix_spawn. Where the system allows it, rows run with a real-time
priority, so that what else runs does not disturb.

With --check the exit status says whether no ratio is below 0.97, and none below 1.5 where the interpreter's module leaves its
fast path. Two neighbours in pass_fds cost it little where few descriptors are open: "possible" is what the same start costs it
with one of them, on its fast path, and where that is less than 1.5 times faster, nothing but that can be asked for.
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

#: Name and options.
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


#: Where low descriptor numbers are reserved before anything is opened.
LOW_NUMBERS = {"captured, reserved": 8}


#: Where the interpreter's module leaves its fast path, and the same without what makes it do so. 3.8 and 3.9 have none.
SLOW_BY_STOCK = {}
if sys.version_info >= (3, 10):
    SLOW_BY_STOCK["user="] = "Popen"
if sys.version_info >= (3, 11):
    SLOW_BY_STOCK["adjacent pass_fds"] = "one pass_fds"


def program(directory):
    """A program that ends at once: one without a loader, if there is a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "/bin/true"
    source, path = os.path.join(directory, "exits.c"), os.path.join(directory, "exits")
    with open(source, "w") as file:
        file.write("int main(void) { return 0; }\n")
    done = subprocess.call([compiler, "-O2", "-static", "-o", path, source], stderr=subprocess.DEVNULL)
    return path if done == 0 else "/bin/true"


def come_first():
    """Asks for a real-time priority, and says whether it was given."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
    except (AttributeError, OSError):
        return False
    return True


def may_come_first():
    code = "import sys, compare; sys.exit(not compare.come_first())"
    return subprocess.call([sys.executable, "-c", code], cwd=os.path.dirname(os.path.abspath(__file__))) == 0


def row(name, descriptors, gib, rounds, path):
    """In a process of its own: the two times, and the interpreter's module's on its fast path, where that is something else."""
    import forkexec_posixsubprocess
    from forkexec_posixsubprocess import _measure
    come_first()
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
    """Whether the ratio is what is asked for, and what to say of it."""
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
    """Prints the rows, and says how many are not as they should be."""
    priority = "real-time" if may_come_first() else "the usual"
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
