"""Starts many children with random options from several threads, and searches for leaks. A quarter of the starts fails.

usage: soak.py [--help] [--starts N] [--threads N] [--seed N]

Afterwards there must be no new descriptor, child or object, and the memory must not have grown.
"""

import argparse
import gc
import os
import random
import signal
import subprocess
import sys
import threading
import time

import forkexec_posixsubprocess

forkexec_posixsubprocess.install()
subprocess._USE_POSIX_SPAWN = False

FAILING = (["/nowhere/program"], ["/etc/passwd"], ["nowhere-on-the-path"])


def options(random_, files):
    chosen = {}
    if random_.random() < 0.3:
        chosen["pass_fds"] = random_.sample(files, random_.randrange(len(files)))
    if random_.random() < 0.2:
        chosen["cwd"] = random_.choice(["/", "/usr", b"/tmp"])
    if random_.random() < 0.2:
        chosen["close_fds"] = "pass_fds" in chosen
    if random_.random() < 0.3:
        chosen["stdout"] = random_.choice([subprocess.PIPE, subprocess.DEVNULL])
    if random_.random() < 0.3:
        chosen["stderr"] = random_.choice([subprocess.PIPE, subprocess.STDOUT])
    if random_.random() < 0.2:
        chosen["stdin"] = subprocess.PIPE
    if random_.random() < 0.2:
        chosen["env"] = {"A": "B" * random_.randrange(100)}
    chosen["start_new_session"] = random_.random() < 0.2
    chosen["restore_signals"] = random_.random() < 0.5
    if sys.version_info >= (3, 9) and random_.random() < 0.2:
        chosen["umask"] = 0o22
        if os.geteuid() == 0:
            chosen.update(user=65534, group=65534, extra_groups=[65534])
    if random_.random() < 0.02:
        chosen["preexec_fn"] = random_.choice([int, fails])
    return chosen


def fails():
    raise ValueError


def fail(random_, chosen):
    """Makes a start fail in a random way."""
    way = random_.randrange(4)
    if way == 0:
        chosen["cwd"] = "/nowhere"
    elif way == 1:
        return ["/bin/true", "a\0b"]
    elif way == 2:
        chosen["env"] = {"A": "\0"}
    return random_.choice(FAILING)


def work(count, seed, files):
    random_ = random.Random(seed)
    for _ in range(count):
        chosen, program = options(random_, files), ["/bin/true"]
        if random_.random() < 0.25:
            program = fail(random_, chosen)
        try:
            with subprocess.Popen(program, **chosen) as process:
                process.communicate()
        except (OSError, ValueError, subprocess.SubprocessError):
            failed_count[seed] = failed_count.get(seed, 0) + 1


failed_count = {}

#: Counters, and how much each can grow: less than once in a hundred starts. Only debug builds count references.
COUNTED = {"objects": 200, "references": 2000, "blocks": 2000, "KiB": 4096}


def measured():
    gc.collect()
    forkexec_posixsubprocess.status()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    references = sys.gettotalrefcount() if hasattr(sys, "gettotalrefcount") else None
    return {"descriptors": sorted(os.listdir("/proc/self/fd"))[:-1], "objects": len(gc.get_objects()),
            "references": references, "KiB": pages * 4, "blocks": sys.getallocatedblocks()}


def children():
    """Returns True if there is a child, running or ended."""
    try:
        os.waitpid(-1, os.WNOHANG)
        return True
    except ChildProcessError:
        return False


def run(starts, threads, seed, files):
    workers = [threading.Thread(target=work, args=(starts // threads, seed + index, files)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=200000)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(6)]
    run(min(given.starts, 2000), given.threads, given.seed, files)
    before, began = measured(), time.time()
    failed_count.clear()
    run(given.starts, given.threads, given.seed + 1000, files)
    failed = sum(failed_count.values())
    failed_count.clear()
    after = measured()
    lost = []
    if after["descriptors"] != before["descriptors"]:
        lost.append("descriptors: {} -> {}".format(before["descriptors"], after["descriptors"]))
    if children():
        lost.append("a child is left")
    for what, tolerated in COUNTED.items():
        if before[what] is not None and after[what] - before[what] > tolerated:
            lost.append("{}: {} -> {}".format(what, before[what], after[what]))
    grown = ["{} {:+}".format(what, after[what] - before[what]) for what in COUNTED if before[what] is not None]
    print("CPython {}: {} starts by {} threads, {} failed, {:.0f} s; {}; {}".format(
        sys.version.split()[0], given.starts, given.threads, failed, time.time() - began, ", ".join(grown),
        "; ".join(lost) or "nothing is lost"))
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
