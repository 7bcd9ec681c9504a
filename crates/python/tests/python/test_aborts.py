"""No argument aborts the interpreter, neither by a panic nor if memory runs out."""

import importlib.util
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
#: The module whose functions panic, if ``ci/python-wheels`` has built it.
PANICS = os.path.join(HERE, "panics.abi3.so")


def panics():
    specification = importlib.util.spec_from_file_location("panics", PANICS)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.panics


@unittest.skipUnless(os.path.exists(PANICS), "the example panics was not built")
class Panics(unittest.TestCase):
    # Faults: P1
    def test_panic_is_a_system_error(self):
        code = ("import sys; sys.path.insert(0, {!r})\nfrom test_aborts import panics\np = panics()\n"
                "for way in range(9):\n"
                "    try: print(p(way))\n"
                "    except SystemError as error: print(error, error.__cause__)\n").format(HERE)
        done = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, RUST_BACKTRACE="0"),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        self.assertEqual(done.stdout.split("\n"), [
            "a text None", "a text with the number 1 None", "panic None", "without the lock None", "after an exception None", "capacity overflow None",
            " None", "inside None", "1", ""], done)
        self.assertEqual(done.returncode, 0)


#: Makes calls with a memory limit above the present use, which grows in steps, and prints the outcomes.
MEMORY = """
import resource, sys
import forkexec_posixsubprocess
forkexec_posixsubprocess.install()
sys.path.insert(0, {here!r})
from calls import NAMES, call
# The child tries no program: it fails before, when it closes the end of a pipe that is not open.
name, value = {name!r}, {value}
if name not in NAMES:
    sys.exit()
for first in (True, False):
    for step in range({steps}):
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + step * ({size} if first else 1 << 14), hard))
        outcome = call(p2cwrite=700, keep_errpipe=False, **{{name: value}})
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        print(outcome)
"""


@unittest.skipUnless(sys.platform.startswith("linux"), "memory is counted as Linux counts it")
class Memory(unittest.TestCase):
    def outcomes(self, name, value, steps=40, size=1 << 20):
        code = MEMORY.format(here=HERE, name=name, value=value, steps=steps, size=size)
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    # Faults: P1
    def test_failed_allocation_is_a_memory_error(self):
        for name, value in (("args", "[b'x'] * 500000"), ("executable_list", "[b'x'] * 500000"), ("env", "[b'x'] * 500000"),
                            ("fds_to_keep", "tuple(range(3, 500000))")):
            with self.subTest(argument=name):
                self.assertIn("MemoryError: ", self.outcomes(name, value))


if __name__ == "__main__":
    unittest.main()
