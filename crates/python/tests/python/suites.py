"""Runs CPython's own suites with the interpreter's module and with this package's, and compares test by test.

usage: suites.py [--help] [everyday|all|SUITE...]

``everyday``: the suites of ``subprocess``, and all other tests of CPython that import the module. ``all``: also the suites of
multiprocessing and concurrent.futures.

The package is enabled for all processes of this environment (the ``.pth`` file), so that children of the tests use it, too. That
is checked first, in parent and child. ``subprocess`` does not bypass it with posix_spawn.

A suite that is not installed comes from the directories in ``nearest`` next to this file, in the order of their names: one of
another version that this interpreter can load. Tests that do not apply fail with both modules. A test that fails only with this
package runs again three times. If it passes each time, it is reported, but not lost. A test that hangs is ended and reported.
"""

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))

#: Tests that this package cannot pass, with the reason.
EXPECTED = {
    "POSIXProcessTestCase.test_vfork_used_when_expected":
        "it expects fork for user=, group= and extra_groups=, and this package does not fork (it is skipped without strace)",
}

#: Suites that start processes through ``subprocess``.
EVERYDAY = ["test_subprocess", "test_asyncio.test_subprocess"]
MORE = ["test_multiprocessing_spawn", "test_concurrent_futures"]

#: Children of multiprocessing import it, too, so its top level does only what they need.
RUN = r"""
import json, os, subprocess, sys, unittest
subprocess._USE_POSIX_SPAWN = False

def check(which):
    import _posixsubprocess as module
    def is_ours(module):
        return 'forkexec_posixsubprocess' in str(getattr(module, '__file__', None))
    bound = getattr(subprocess, '_fork_exec', None)
    bound = bound.__self__ if bound else subprocess._posixsubprocess
    child = subprocess.check_output([sys.executable, '-I', '-c', "import _posixsubprocess as m; print(getattr(m, '__file__', None))"])
    assert [is_ours(module), is_ours(bound), b'forkexec_posixsubprocess' in child] == [which == 'ours'] * 3, (module, bound, child)

def loaded(suite):
    loader = unittest.defaultTestLoader
    if '.' in suite:
        return loader.loadTestsFromName(suite)
    package = __import__(suite)
    if not hasattr(package, '__path__'):
        return loader.loadTestsFromModule(package)
    names = sorted(name[:-3] for name in os.listdir(package.__path__[0]) if name.startswith('test_') and name.endswith('.py'))
    return loader.loadTestsFromNames([suite + '.' + name for name in names])

def flat(tests):
    for test in tests:
        yield from flat(test) if isinstance(test, unittest.TestSuite) else [test]

class Result(unittest.TextTestResult):
    def note(self, test, outcome):
        notes.write(json.dumps([test.id(), outcome]) + '\n')
        notes.flush()
    def startTest(self, test):
        super().startTest(test); self.note(test, 'began')
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
    which, suite, directory, path, *names = sys.argv[1:]
    sys.path += path.split(os.pathsep)
    check(which)
    tests = unittest.defaultTestLoader.loadTestsFromNames(names) if names else loaded(suite)
    with open(os.path.join(directory, 'done')) as file:
        done = set(json.load(file))
    tests = unittest.TestSuite([test for test in flat(tests) if test.id() not in done])
    notes = open(os.path.join(directory, 'notes'), 'w')
    log = open(os.path.join(directory, 'log'), 'w')
    unittest.TextTestRunner(stream=log, resultclass=Result, verbosity=2).run(tests)
    notes.write('"end"\n')
    notes.close()
"""

#: After so many seconds without an outcome, the running test counts as hanging.
PATIENCE = 900


def outcomes(which, module, path, tests=()):
    """Returns the outcome of each test, or of these. If one hangs or ends the process, the others run in a new process."""
    subprocess.check_output([sys.executable, "-m", "forkexec_posixsubprocess", "enable" if which == "ours" else "disable"])
    came, log, ended = {}, "", False
    while not ended:
        with tempfile.TemporaryDirectory() as directory:
            some, more, ended = run(directory, [which, module, directory, path, *tests], sorted(came))
            log += more
        if not some and not ended:
            raise SystemExit("{} by {}: {}".format(module, which, log[-2000:]))
        came.update((test, "did not end" if outcome == "began" else outcome) for test, outcome in some.items())
    return came, log


def run(directory, arguments, done):
    """Runs the tests that are not done. Returns the outcomes, the log, and whether all tests have run."""
    script, notes = os.path.join(directory, "run.py"), os.path.join(directory, "notes")
    with open(script, "w") as file:
        file.write(RUN)
    with open(os.path.join(directory, "done"), "w") as file:
        json.dump(done, file)
    work = os.path.join(directory, "work")
    os.mkdir(work)
    with open(os.path.join(directory, "output"), "wb") as output:
        process = subprocess.Popen([sys.executable, script, *arguments], cwd=work, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        size, since = -1, time.monotonic()
        while True:
            try:
                process.wait(5)
                break
            except subprocess.TimeoutExpired:
                now = os.path.getsize(notes) if os.path.exists(notes) else 0
                if now != size:
                    size, since = now, time.monotonic()
                if time.monotonic() - since > PATIENCE:
                    os.killpg(process.pid, signal.SIGKILL)
    lines = [json.loads(line) for line in text(notes).splitlines() if line.endswith(('"', "]"))]
    log = text(os.path.join(directory, "output")) + text(os.path.join(directory, "log"))
    return dict(line for line in lines if line != "end"), log, "end" in lines


def text(path):
    if not os.path.exists(path):
        return ""
    with open(path, errors="replace") as file:
        return file.read()


#: Imports a module. For a package of another version, imports its modules one by one, as the loader does.
IMPORT = r"""
import importlib, os, sys
module, path = sys.argv[1:]
sys.path.append(path)
found = importlib.import_module(module)
for name in os.listdir(found.__path__[0]) if path and hasattr(found, '__path__') else ():
    if name.startswith('test_') and name.endswith('.py'):
        importlib.import_module(module + '.' + name[:-3])
"""


def can_import(module, path):
    done = subprocess.run([sys.executable, "-c", IMPORT, module, path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode == 0


def places(suite):
    """Yields the modules that can have the suite, best first, with their directory and a remark."""
    yield "test." + suite, "", ""
    if suite == "test_multiprocessing_spawn":
        # Some installations have the tests themselves, but not this module around them.
        yield "multiprocessing_spawn", HERE, ""
    for directory in nearest():
        yield suite, directory, " (of {})".format(directory.split("-")[-1])


def nearest():
    """Returns the directories with suites of other versions: the nearest version first, and of two the older one."""
    place = os.path.join(HERE, "nearest")
    names = os.listdir(place) if os.path.isdir(place) else []
    return [os.path.join(place, name) for name in sorted(names, key=lambda name: (int(name.split("-")[0]), int(name.split(".")[-1])))]


def importers(directory):
    """Yields the tests in a directory whose source names the module."""
    for path, _, names in os.walk(directory):
        for name in sorted(names):
            if name.startswith("test_") and name.endswith(".py") and "_posixsubprocess" in text(os.path.join(path, name)):
                yield os.path.relpath(os.path.join(path, name), directory)[:-len(".py")].replace(os.sep, ".")


def everyday():
    """Returns the suites that start processes, and all others that import the module, of this version or of the nearest one."""
    suites = list(EVERYDAY)
    try:
        import test
        suites += [suite for suite in importers(test.__path__[0]) if suite not in suites and not suite.startswith("test_subprocess.")]
    except ImportError:
        pass
    own, lacking = {suite.split(".")[0] for suite in suites}, set()
    for directory in nearest():
        for suite in importers(directory):
            top = suite.split(".")[0]
            if top not in own and can_import(suite, directory):
                suites.append(suite)
                own.add(top)
            lacking.add(top)
    for top in sorted(lacking - own):
        print("{} imports the module, but is not installed, and that of no other version can be loaded: not run".format(top))
    return suites


def retried(module, path, lost):
    """Runs lost tests again, three times, and returns those that pass each time: many depend on an idle machine."""
    passed = set(lost)
    for _ in range(3 if lost else 0):
        came, _ = outcomes("ours", module, path, sorted(lost))
        passed = {test for test in passed if came.get(test) == "ok"}
    return sorted(passed)


def compare(suite):
    """Runs a suite with both modules. Returns True if no test is lost."""
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
        print("    no test passes with the interpreter's module, so the comparison is void")
        return False
    return not lost


def main():
    if "--help" in sys.argv:
        print(__doc__)
        return
    chosen = sys.argv[1:] or ["everyday"]
    if chosen in (["everyday"], ["all"]):
        chosen = everyday() + (MORE if chosen == ["all"] else [])
    print("suites:", ", ".join(chosen), flush=True)
    results = [compare(suite) for suite in chosen]
    subprocess.check_output([sys.executable, "-m", "forkexec_posixsubprocess", "disable"])
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
