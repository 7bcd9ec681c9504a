"""Runs CPython's own suites with the interpreter's module and with this package's, and compares test by test.

usage: suites.py [--help] [SUITE...]

The package is switched on for every process of this environment (the ``.pth`` file), so that the children which the tests
start use it as well; that is checked before, in parent and child. ``subprocess`` is kept from going past it by posix_spawn.
"""

import collections
import json
import os
import subprocess
import sys
import tempfile

#: Those that start processes. Who wants all of them names the others, or ``all``.
EVERYDAY = ["test_subprocess", "test_asyncio.test_subprocess"]
ALL = EVERYDAY + ["test_multiprocessing_spawn", "test_concurrent_futures"]

RUN = r"""
import json, os, subprocess, sys, unittest
which, suite, result = sys.argv[1:4]
subprocess._USE_POSIX_SPAWN = False
import _posixsubprocess as module
import forkexec_posixsubprocess
def is_ours(module):
    return 'forkexec' in str(getattr(module, '__file__', None))
bound = getattr(subprocess, '_fork_exec', None)
bound = bound.__self__ if bound else subprocess._posixsubprocess
child = subprocess.check_output([sys.executable, '-I', '-c', 'import _posixsubprocess as m; print(m.__file__)'])
assert [is_ours(module), is_ours(bound), b'forkexec' in child] == [which == 'ours'] * 3, (module, bound, child)

class Result(unittest.TextTestResult):
    outcomes = {}
    def note(self, test, outcome):
        self.outcomes[test.id()] = outcome
    def addSuccess(self, test):
        super().addSuccess(test); self.note(test, 'ok')
    def addError(self, test, error):
        super().addError(test, error); self.note(test, 'error')
    def addFailure(self, test, error):
        super().addFailure(test, error); self.note(test, 'failure')
    def addSkip(self, test, reason):
        super().addSkip(test, reason); self.note(test, 'skipped')
    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None: self.note(test, 'failure')

if __name__ == '__main__':
    tests = unittest.defaultTestLoader.loadTestsFromName('test.' + suite)
    unittest.TextTestRunner(stream=open(result + '.log', 'w'), resultclass=Result, verbosity=2).run(tests)
    with open(result, 'w') as file:
        json.dump(Result.outcomes, file)
"""


def outcomes(which, suite):
    """What came of each test."""
    subprocess.check_output([sys.executable, "-m", "forkexec_posixsubprocess", "enable" if which == "ours" else "disable"])
    with tempfile.TemporaryDirectory() as directory:
        script, result = os.path.join(directory, "run.py"), os.path.join(directory, "result")
        with open(script, "w") as file:
            file.write(RUN)
        work = os.path.join(directory, "work")
        os.mkdir(work)
        done = subprocess.run([sys.executable, script, which, suite, result], cwd=work, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if not os.path.exists(result):
            raise SystemExit("{} by {}: {}".format(suite, which, done.stdout.decode()[-2000:]))
        with open(result) as file, open(result + ".log") as log:
            return json.load(file), log.read()


def has(suite):
    code = "import importlib, sys; importlib.import_module('test.' + sys.argv[1])"
    return subprocess.run([sys.executable, "-c", code, suite], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def compare(suite):
    """Whether no test is lost."""
    if not has(suite):
        print("{:34} not installed".format(suite))
        return True
    (stock, _), (ours, log) = outcomes("stock", suite), outcomes("ours", suite)
    lost = sorted(test for test, outcome in stock.items() if outcome == "ok" and ours.get(test) != "ok")
    gained = sum(outcome == "ok" and stock.get(test) != "ok" for test, outcome in ours.items())
    counts = ["{} {}".format(count, outcome) for outcome, count in sorted(collections.Counter(ours.values()).items())]
    print("{:34} {} tests by stock, {} by forkexec ({}); lost: {}, gained: {}".format(
        suite, len(stock), len(ours), ", ".join(counts), len(lost), gained))
    for test in lost:
        print("    lost:", test, ours.get(test, "not run"))
    if lost:
        print(log[-6000:])
    return not lost


def main():
    if "--help" in sys.argv:
        print(__doc__)
        return
    chosen = sys.argv[1:] or EVERYDAY
    results = [compare(suite) for suite in (ALL if chosen == ["all"] else chosen)]
    subprocess.check_output([sys.executable, "-m", "forkexec_posixsubprocess", "disable"])
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
