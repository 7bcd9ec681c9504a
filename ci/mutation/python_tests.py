"""The tests of the Python module, with the options and the output of Rust's test harness.

usage: python_tests.py TESTS --list|--exact [NAME...]

A case of the contract passes if it has the same outcome with the interpreter's own module. The other tests are those of test_package.py.
TESTS is the directory of both. PYTHONPATH has the package.
"""

import json
import os
import subprocess
import sys
import unittest


def main():
    tests, option, names = sys.argv[1], sys.argv[2], sys.argv[3:]
    os.chdir(tests)
    sys.path.insert(0, tests)
    if option == "--list":
        print(*("" if "--ignored" in names else [f"{name}: test" for name in [*cases(), *tests_of_package()]]), sep="\n")
        return 0
    failed = False
    for name in names:
        passes = is_same(name) if name in cases() else is_passed(name)
        print(f"test {name} ... {'ok' if passes else 'FAILED'}", flush=True)
        failed = failed or not passes
    print("test result:", "FAILED" if failed else "ok")
    return 101 if failed else 0


def cases():
    import cases_of_liars  # noqa: F401 (adds its own)
    from cases import CASES
    return CASES


def tests_of_package():
    for group in unittest.defaultTestLoader.loadTestsFromName("test_package"):
        for test in group:
            yield test.id()


def is_same(case):
    from test_contract import DIFFERENCES, differences
    # Not kept for the next mutant: some outcomes depend on the load of the machine.
    stock, ours = (outcome(which, case) for which in ("stock", "ours"))
    return all(path.startswith(tuple(DIFFERENCES)) for path, *_ in differences(stock, ours))


def outcome(which, case):
    done = subprocess.run([sys.executable, "contract.py", which, case], stdout=subprocess.PIPE)
    return {case: "ended by {}".format(done.returncode)} if done.returncode else json.loads(done.stdout.decode())


def is_passed(test):
    return subprocess.run([sys.executable, "-m", "unittest", "--quiet", test], stderr=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
