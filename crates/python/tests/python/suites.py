"""Runs CPython's own suites with the interpreter's module and with this package's, and compares test by test.

usage: suites.py [--help] [all|SUITE...]

The package is switched on for every process of this environment (the ``.pth`` file), so that the children which the tests
start use it as well; that is checked before, in parent and child. ``subprocess`` is kept from going past it by posix_spawn.

A suite that is not installed is taken from the directories in ``nearest`` beside this file, in the order of their names: one of
another version that this interpreter can load. What does not apply fails with either module. A test that fails by this package
alone is run again three times, and is not lost if it passes each time; that is said.
"""

import collections
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

#: Tests that this package cannot pass, with the reason.
EXPECTED = {
    "POSIXProcessTestCase.test_vfork_used_when_expected":
        "it wants user=, group= and extra_groups= to lead to fork, and here they do not (it is skipped without strace)",
}

#: Those that start processes. Who wants all of them names the others, or ``all``.
EVERYDAY = ["test_subprocess", "test_asyncio.test_subprocess"]
ALL = EVERYDAY + ["test_multiprocessing_spawn", "test_concurrent_futures"]

#: Children of multiprocessing import it, too, so the top of it does no more than they need.
RUN = r"""
import json, os, subprocess, sys, unittest
subprocess._USE_POSIX_SPAWN = False

def check(which):
    import _posixsubprocess as module
    def is_ours(module):
        return 'forkexec' in str(getattr(module, '__file__', None))
    bound = getattr(subprocess, '_fork_exec', None)
    bound = bound.__self__ if bound else subprocess._posixsubprocess
    child = subprocess.check_output([sys.executable, '-I', '-c', "import _posixsubprocess as m; print(getattr(m, '__file__', None))"])
    assert [is_ours(module), is_ours(bound), b'forkexec' in child] == [which == 'ours'] * 3, (module, bound, child)

def loaded(suite):
    loader = unittest.defaultTestLoader
    if suite.startswith('test.'):
        return loader.loadTestsFromName(suite)
    package = __import__(suite)
    if not hasattr(package, '__path__'):
        return loader.loadTestsFromModule(package)
    names = sorted(name[:-3] for name in os.listdir(package.__path__[0]) if name.startswith('test_') and name.endswith('.py'))
    return loader.loadTestsFromNames([suite + '.' + name for name in names])

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
    which, suite, result, path, *names = sys.argv[1:]
    sys.path += path.split(os.pathsep)
    check(which)
    tests = unittest.defaultTestLoader.loadTestsFromNames(names) if names else loaded(suite)
    unittest.TextTestRunner(stream=open(result + '.log', 'w'), resultclass=Result, verbosity=2).run(tests)
    with open(result, 'w') as file:
        json.dump(Result.outcomes, file)
"""


def outcomes(which, module, path, tests=()):
    """What came of each test, or of these."""
    subprocess.check_output([sys.executable, "-m", "forkexec_posixsubprocess", "enable" if which == "ours" else "disable"])
    with tempfile.TemporaryDirectory() as directory:
        script, result = os.path.join(directory, "run.py"), os.path.join(directory, "result")
        with open(script, "w") as file:
            file.write(RUN)
        work = os.path.join(directory, "work")
        os.mkdir(work)
        done = subprocess.run([sys.executable, script, which, module, result, path, *tests], cwd=work, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if not os.path.exists(result):
            raise SystemExit("{} by {}: {}".format(module, which, done.stdout.decode()[-2000:]))
        with open(result) as file, open(result + ".log") as log:
            return json.load(file), log.read()


def can_import(module, path):
    code = "import importlib, sys; sys.path += sys.argv[2:]; importlib.import_module(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, module, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def places(suite):
    """The modules that may hold the suite, best first, with the directory that they are in and what to say of it."""
    yield "test." + suite, "", ""
    if suite == "test_multiprocessing_spawn":
        # A few lines around a module that is installed where they are not.
        yield "multiprocessing_spawn", HERE, ""
    nearest = os.path.join(HERE, "nearest")
    for directory in sorted(os.listdir(nearest)) if os.path.isdir(nearest) else ():
        if "." not in suite:
            yield suite, os.path.join(nearest, directory), " (of {})".format(directory.split("-")[-1])


def retried(module, path, lost):
    """Those that pass by this package when they run again, three times: many count on a machine that has nothing else to do."""
    passed = set(lost)
    for _ in range(3 if lost else 0):
        came, _ = outcomes("ours", module, path, sorted(lost))
        passed = {test for test in passed if came.get(test) == "ok"}
    return sorted(passed)


def compare(suite):
    """Whether no test is lost."""
    found = next((place for place in places(suite) if can_import(*place[:2])), None)
    if found is None:
        print("{:34} not installed".format(suite))
        return True
    module, path, whose = found
    (stock, _), (ours, log) = outcomes("stock", module, path), outcomes("ours", module, path)
    lost = sorted(test for test, outcome in stock.items() if outcome == "ok" and ours.get(test) != "ok")
    expected = [test for test in lost if any(test.endswith(known) for known in EXPECTED)]
    lost = [test for test in lost if test not in expected]
    again = retried(module, path, lost)
    lost = [test for test in lost if test not in again]
    gained = sum(outcome == "ok" and stock.get(test) != "ok" for test, outcome in ours.items())
    counts = ["{} {}".format(count, outcome) for outcome, count in sorted(collections.Counter(ours.values()).items())]
    print("{:34} {} tests by stock, {} by forkexec ({}); lost: {}, gained: {}{}".format(
        suite + whose, len(stock), len(ours), ", ".join(counts), len(lost), gained,
        ", differs as expected: {}".format(", ".join(expected)) if expected else ""), flush=True)
    for test in again:
        print("    passed three times afterwards:", test)
    for test in lost:
        print("    lost:", test, ours.get(test, "not run"))
    if lost:
        print(log[-6000:])
    if not any(outcome == "ok" for outcome in stock.values()):
        print("    no test of it passes by the interpreter's module: that shows nothing")
        return False
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
