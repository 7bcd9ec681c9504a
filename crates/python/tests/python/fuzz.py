"""Calls ``fork_exec`` with random arguments from a seed, with the interpreter's module and this package's, and compares.

usage: fuzz.py [--help] [--calls N] [--seed N] [--first N]

Each module has its own process, so that a crash is detected. For each call, both modules must have the same outcome: the exception
or the status of the child, the report, the output of the program, and the method calls on the arguments in their order. The
descriptors, the references, the garbage collector and the signal mask after the call must be the same, too. A difference is shown
with the fewest arguments that cause it, and with the options that repeat it.
"""

import argparse
import collections
import json
import os
import random
import select
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))

#: After so many seconds without an answer, a call counts as hanging.
PATIENCE = 120

#: The number of calls in one request to a worker.
BATCH = 200


class Worker:
    """A process that makes calls with one module. If it ends, that is the outcome of its call, and a new one is started."""

    def __init__(self, which, seed):
        self.command = [sys.executable, "-W", "ignore", os.path.join(HERE, "fuzz_worker.py"), which, str(seed)]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                                        env=dict(os.environ, PYTHONHASHSEED="0"))
        self.read = b""

    def stop(self):
        """Closes the pipes, and returns the exit status of the process."""
        self.process.stdin.close()
        self.process.stdout.close()
        status, self.process = self.process.wait(), None
        return status

    def ask(self, *request):
        if self.process is None:
            self.start()
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self):
        """Returns the next line, or the exit status of the process."""
        while b"\n" not in self.read:
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.stop()
                return "hangs"
            read = os.read(self.process.stdout.fileno(), 1 << 16)
            if not read:
                return "ended: {}".format(self.stop())
            self.read += read
        line, self.read = self.read.split(b"\n", 1)
        return json.loads(line.decode())

    def outcomes(self, first, last, plain=(), asked=False):
        """Returns the outcomes of these calls, which may have been requested already."""
        came = []
        while first < last:
            if not asked:
                self.ask(first, last, plain)
            asked = False
            while first < last:
                answer = self.answer()
                came.append(answer)
                first += 1
                if self.process is None:
                    break
        return came

    def show(self, number, plain=()):
        self.ask("show", number, plain)
        return self.answer()


def is_same(stock, ours):
    return stock == ours and not isinstance(ours, str)


def shrunk(workers, number):
    """Returns the arguments that the difference needs."""
    from calls import NAMES
    plain = []
    for name in NAMES:
        stock, ours = (worker.outcomes(number, number + 1, plain + [name])[0] for worker in workers)
        if not is_same(stock, ours):
            plain.append(name)
    return plain


def explain(workers, number, seed, stock, ours):
    from calls import NAMES
    plain = shrunk(workers, number)
    again = [worker.outcomes(number, number + 1, plain)[0] for worker in workers]
    if is_same(*again):
        print("--- call {} does not repeat".format(number))
    else:
        stock, ours = again
    print("--- call {}: fuzz.py --seed {} --first {} --calls 1".format(number, seed, number))
    shown = workers[0].show(number, plain)
    for name, value in zip(NAMES, shown):
        if name not in plain:
            print("    {} = {}".format(name, value))
    if isinstance(stock, dict) and isinstance(ours, dict):
        for key in stock:
            if stock[key] != ours[key]:
                print("  {}\n    stock: {}\n    ours:  {}".format(key, stock[key], ours[key]))
    else:
        print("    stock: {}\n    ours:  {}".format(stock, ours))
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0], description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    seed = random.randrange(2 ** 32) if options.seed is None else options.seed
    workers = [Worker("stock", seed), Worker("ours", seed)]
    differ, refused, kinds, since = 0, 0, collections.Counter(), time.monotonic()
    for first in range(options.first, options.first + options.calls, BATCH):
        last = min(first + BATCH, options.first + options.calls)
        for worker in workers:
            worker.ask(first, last, ())
        stock, ours = (worker.outcomes(first, last, asked=True) for worker in workers)
        for number, pair in enumerate(zip(stock, ours), first):
            kinds[pair[0]["result"][0] if isinstance(pair[0], dict) else "crashed by the interpreter's module"] += 1
            if not is_same(*pair) and "BlockingIOError" in str(pair):
                # The system could not create another process.
                time.sleep(2)
                refused += 1
                pair = [worker.outcomes(number, number + 1)[0] for worker in workers]
            if not is_same(*pair):
                differ += 1
                if differ <= 6:
                    explain(workers, number, seed, *pair)
    for worker in workers:
        if worker.process is not None:
            worker.stop()
    print("fuzz {}.{}: seed {}: {} calls ({}), {} made again because the machine had no process left, {} differ, {:.0f} calls/s".format(
        *sys.version_info[:2], seed, sum(kinds.values()), ", ".join("{} {}".format(*kind) for kind in sorted(kinds.items())), refused, differ,
        sum(kinds.values()) / (time.monotonic() - since)))
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()
