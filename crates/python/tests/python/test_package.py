"""Installing and uninstalling the module."""

import os
import platform
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import unittest


def run(code, *flags, **environment):
    """Returns the output of a new interpreter of this environment."""
    done = subprocess.run([sys.executable, *flags, "-c", code], env=dict(os.environ, **environment),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    return (done.stdout + done.stderr).strip()


WHICH = "print('forkexec_posixsubprocess' in str(getattr({}, '__file__', None)))"
USED = ("import forkexec_posixsubprocess as f, subprocess\n"
        "print(f.status().installed, f.status().in_use, subprocess.Popen(['/bin/sh', '-c', 'exit 7'], cwd='/').wait())\n")


class Installing(unittest.TestCase):
    def test_import_alone_has_no_effect(self):
        self.assertEqual(run(USED), "False False 7")

    def test_before_subprocess_is_imported(self):
        self.assertEqual(run("import forkexec_posixsubprocess as f; f.install(); f.install()\n" + USED), "True True 7")

    @unittest.skipUnless("t" in sys.abiflags, "this interpreter always has its lock")
    def test_free_threaded_interpreter_gets_no_lock(self):
        code = "import sys, forkexec_posixsubprocess as f; f.install()\n" + USED + "print(sys._is_gil_enabled())"
        self.assertEqual(run(code), "True True 7\nFalse")

    def test_after_subprocess_was_imported(self):
        self.assertEqual(run("import subprocess, forkexec_posixsubprocess as f; f.install()\n" + USED), "True True 7")

    def test_uninstall_restores_subprocess(self):
        first = "import forkexec_posixsubprocess as f; f.install(); f.uninstall(); f.uninstall()\n"
        self.assertEqual(run(first + USED), "False False 7")
        self.assertEqual(run("import subprocess\n" + first + USED), "False False 7")
        between = "import forkexec_posixsubprocess as f; f.install(); import subprocess; f.uninstall()\n"
        self.assertEqual(run(between + USED), "False False 7")

    def test_install_works_again_after_uninstall(self):
        first = "import subprocess, forkexec_posixsubprocess as f\nfor _ in range(3): f.install(); f.uninstall()\nf.install()\n"
        self.assertEqual(run(first + USED), "True True 7")

    def test_uninstall_restores_the_original_module(self):
        code = ("import _posixsubprocess as before, forkexec_posixsubprocess as f; f.install(); f.uninstall()\n"
                "import _posixsubprocess as after; print(before is after)")
        self.assertEqual(run(code), "True")

    def test_uninstall_imports_nothing_new(self):
        code = ("import sys; sys.modules.pop('_posixsubprocess', None)\nimport forkexec_posixsubprocess as f; f.install(); f.uninstall()\n"
                "print('_posixsubprocess' in sys.modules, 'subprocess' in sys.modules)")
        self.assertEqual(run(code, "-S", PYTHONPATH=site_directory()), "False False")

    def test_uninstall_keeps_a_foreign_function(self):
        code = ("import forkexec_posixsubprocess as f, subprocess; f.install()\n"
                "name = '_fork_exec' if hasattr(subprocess, '_fork_exec') else '_posixsubprocess'\n"
                "mine = object(); setattr(subprocess, name, mine); f.uninstall(); print(getattr(subprocess, name) is mine)")
        self.assertEqual(run(code), "True")

    @unittest.skipUnless((3, 10) <= sys.version_info[:2] <= (3, 13), "other versions have no such flag")
    @unittest.skipUnless(shutil.which("strace"), "strace shows it, and is not installed")
    def test_child_shares_memory_unless_that_is_forbidden(self):
        for allowed in (True, False):
            with tempfile.NamedTemporaryFile("r") as log:
                code = ("import subprocess\nfrom forkexec_posixsubprocess import install\ninstall()\n"
                        "subprocess._USE_VFORK = {}; subprocess.check_call(['true'], cwd='/')").format(allowed)
                subprocess.check_call(["strace", "-f", "-e", "trace=process", "-o", log.name, sys.executable, "-c", code])
                self.assertEqual("CLONE_VM" in log.read(), allowed)

    def test_error_report_on_a_full_pipe_does_not_stop_the_caller(self):
        shown = run(FULL.format(os.path.dirname(os.path.abspath(__file__))))
        self.assertEqual(shown, "OSError:2: 255")

    def test_unsupported_interpreter_is_refused(self):
        code = "import sys, forkexec_posixsubprocess as f; sys.version_info = (3, 99); f.install()"
        self.assertIn("RuntimeError: cannot install forkexec_posixsubprocess: it supports CPython", run(code))

    def test_missing_build_is_named(self):
        shown = run("from forkexec_posixsubprocess import _modules; _modules.load('nosuch', '/tmp')")
        self.assertIn("ImportError: cannot import nosuch: /tmp has no build for this interpreter", shown)


CROWD = ("import os, resource, subprocess\nfrom forkexec_posixsubprocess import install, status\n"
         "resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)\n{}\n"
         "crowd = [os.open('/dev/null', os.O_RDONLY) for _ in range(700)]\n"
         "print(subprocess.Popen('ls /proc/$$/fd; echo heard >&2', shell=True, cwd='/', stdout=-1, stderr=-1).communicate())\n")


#: A program is not found while its error pipe is full. The child waits for room.
FULL = r"""
import os, sys
from forkexec_posixsubprocess import install
install()
sys.path.insert(0, {!r})
from calls import _posixsubprocess, arguments, drained, status_of
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True:
        os.write(writer, b"x" * 4096)
except BlockingIOError:
    os.set_blocking(writer, True)
pipe = dict(errpipe_read=reader, errpipe_write=writer, fds_to_keep=(writer,))
pid = _posixsubprocess.fork_exec(*arguments(**pipe))
os.close(writer)
print(drained(reader).lstrip("x"), status_of(pid))
"""

#: The number of openat(2), by processor.
OPENAT = {"x86_64": 257, "aarch64": 56}

#: Children may neither duplicate the descriptors of their parent nor open its pipes for writing (seccomp(2)).
REFUSED = r"""
import ctypes, os, resource, struct, subprocess
from forkexec_posixsubprocess import install
install(low_numbers=16)
crowd = [os.open("/dev/null", os.O_RDONLY) for _ in range(700)]
os.dup2(os.pipe()[0], 640)
LOAD, IF_EQUAL, IF_ANY_SET, RETURN = 0x20, 0x15, 0x45, 0x06
PIDFD_GETFD, WRITING, PERMISSION, ALLOW = 438, 1, 0x50001, 0x7fff0000
filter = [(LOAD, 0, 0, 0), (IF_EQUAL, 3, 0, PIDFD_GETFD), (IF_EQUAL, 0, 3, {openat}),
          (LOAD, 0, 0, 32), (IF_ANY_SET, 0, 1, WRITING), (RETURN, 0, 0, PERMISSION), (RETURN, 0, 0, ALLOW)]
program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in filter))
header = ctypes.create_string_buffer(struct.pack("HP", len(filter), ctypes.addressof(program)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, header, 0, 0) == 0, os.strerror(ctypes.get_errno())
for attempt in range(4):
    if attempt == 3:
        # The child could not get the number 640 back from a low one.
        for low in crowd[100:200]:
            os.close(low)
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    started = subprocess.Popen("ls -m /proc/$$/fd; printf heard >&2", shell=True, stdout=-1, stderr=-1, pass_fds=(640,))
    listed, heard = started.communicate()
    print("[" + listed.decode().strip() + "]", heard)
"""


@unittest.skipUnless(sys.platform.startswith("linux"), "numbers are reserved on Linux only")
class LowNumbers(unittest.TestCase):
    def test_low_numbers_are_reserved_listed_and_closed(self):
        code = ("from forkexec_posixsubprocess import install, status, uninstall\ninstall(low_numbers=5)\n"
                "low = status().low_numbers; print(len(low), sum(number < 64 for number in low), any(map(os.get_inheritable, low)))\n"
                "uninstall(); print(status().low_numbers == low); install(); print(status().low_numbers == low)\n"
                "install(low_numbers=0); print(status().low_numbers, set(low) & set(map(int, os.listdir('/proc/self/fd'))))\n")
        lines = run("import os\n" + code).split("\n")
        self.assertEqual(lines, ["6 5 False", "True", "True", "[] set()"])

    def test_invalid_count_of_low_numbers_is_refused(self):
        for value in ("-1", "17", "2 ** 70"):
            shown = run("import forkexec_posixsubprocess as f; f.install({})".format(value))
            self.assertIn("ValueError: low_numbers must be a number from 0 to 16", shown)
        self.assertIn("TypeError", run("import forkexec_posixsubprocess as f; f.install('3')"))

    def test_child_gets_only_its_descriptors_among_many(self):
        expected = "(b'0\\n1\\n2\\n', b'heard\\n')"
        for numbers in ("None", "0", "16"):
            self.assertEqual(run(CROWD.format("install(low_numbers={})".format(numbers))), expected)

    @unittest.skipUnless(platform.machine() in OPENAT, "the number of openat(2) is not known here")
    def test_child_that_takes_no_descriptors_gets_exactly_its_own(self):
        shown = run(REFUSED.format(openat=OPENAT[platform.machine()]))
        self.assertEqual(shown.split("\n"), ["[0, 1, 2, 640] b'heard'"] * 4)

    @unittest.skipUnless(platform.machine() in OPENAT, "the number of openat(2) is not known here")
    @unittest.skipUnless(shutil.which("strace"), "strace shows it, and is not installed")
    def test_child_that_takes_no_descriptors_copies_a_small_table(self):
        with tempfile.NamedTemporaryFile("r") as log:
            code = REFUSED.format(openat=OPENAT[platform.machine()])
            command = ["strace", "-f", "-e", "trace=close_range", "-o", log.name, sys.executable, "-c", code]
            subprocess.check_output(command)
            firsts = [int(first) for first in re.findall(r"close_range\((\d+), .*CLOSE_RANGE_UNSHARE", log.read())]
            # The first child finds out that it is refused, and copies a large table.
            self.assertEqual([first <= 64 for first in firsts][-4:], [False, True, True, False])

    @unittest.skipUnless(shutil.which("strace"), "strace shows it, and is not installed")
    def test_child_copies_the_table_only_up_to_low_numbers(self):
        with tempfile.NamedTemporaryFile("r") as log:
            command = ["strace", "-f", "-e", "trace=close_range", "-o", log.name, sys.executable, "-c"]
            subprocess.check_output(command + [CROWD.format("install(low_numbers=16)")])
            firsts = [int(first) for first in re.findall(r"close_range\((\d+), .*CLOSE_RANGE_UNSHARE", log.read())]
            self.assertEqual([first <= 64 for first in firsts], [True])


def site_directory():
    import forkexec_posixsubprocess
    return os.path.dirname(os.path.dirname(forkexec_posixsubprocess.__file__))


@unittest.skipUnless(os.access(site_directory(), os.W_OK), "the environment is not writable")
class EveryProcess(unittest.TestCase):
    def setUp(self):
        self.addCleanup(run, "from forkexec_posixsubprocess._startup import disable; disable()")
        shown = subprocess.check_output([sys.executable, "-m", "forkexec_posixsubprocess", "enable"])
        self.assertIn(b"forkexec_posixsubprocess.pth", shown)

    def test_new_process_uses_the_module(self):
        import_it = "import _posixsubprocess as m\n" + WHICH.format("m")
        for flags in ((), ("-I",), ("-E",), ("-s",)):
            self.assertEqual(run(import_it, *flags), "True")
        self.assertEqual(run(USED), "True True 7")

    def test_environment_variable_disables_it(self):
        self.assertEqual(run(USED, FORKEXEC_POSIXSUBPROCESS="0"), "False False 7")

    @unittest.skipUnless(sys.platform.startswith("linux"), "numbers are reserved on Linux only")
    def test_environment_variable_sets_low_numbers(self):
        code = "import forkexec_posixsubprocess as f; print(f.status().installed, len(f.status().low_numbers))"
        self.assertEqual(run(code, FORKEXEC_POSIXSUBPROCESS_LOW_NUMBERS="3"), "True 4")
        for bad in ("x", "17"):
            shown = run(code, FORKEXEC_POSIXSUBPROCESS_LOW_NUMBERS=bad)
            self.assertIn("ValueError", shown)
            self.assertIn("True 0", shown)

    def test_interpreter_without_site_does_not_use_it(self):
        self.assertEqual(run("import _posixsubprocess as m\n" + WHICH.format("m"), "-S"), "False")

    def test_pth_file_is_harmless_without_the_package(self):
        with open(os.path.join(site_directory(), "forkexec_posixsubprocess.pth")) as file:
            line = file.read()
        code = "import sys; sys.modules['forkexec_posixsubprocess'] = None\n" + line + "\nprint('ok')"
        self.assertEqual(run(code), "ok")

    def test_disable_reverts_enable(self):
        subprocess.check_output([sys.executable, "-m", "forkexec_posixsubprocess", "disable"])
        self.assertEqual(run(USED), "False False 7")

    def test_pip_removes_the_file_with_the_package(self):
        names = [name for name in os.listdir(site_directory()) if name.startswith("forkexec_posixsubprocess-")]
        with open(os.path.join(site_directory(), names[0], "RECORD")) as record:
            self.assertEqual(sum(line.startswith("forkexec_posixsubprocess.pth,") for line in record), 1)


class Command(unittest.TestCase):
    def test_command_shows_the_module_and_measures(self):
        shown = subprocess.check_output([sys.executable, "-m", "forkexec_posixsubprocess", "--rounds", "2"]).decode()
        self.assertIn("the interpreter's own", shown)
        self.assertIn("two adjacent pass_fds", shown)
        self.assertNotIn("\033", shown)
        heading, *rows = shown[shown.index("start to end"):].splitlines()
        self.assertLessEqual(len(heading), 80)
        self.assertEqual({len(row) for row in rows}, {len(heading)}, shown)

    def test_command_has_colours_on_a_terminal(self):
        for environment, has_colours in [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                                         ({"TERM": "xterm", "NO_COLOR": "1"}, False)]:
            ours, terminal = pty.openpty()
            command = [sys.executable, "-m", "forkexec_posixsubprocess", "--rounds", "0"]
            environment = dict({name: os.environ[name] for name in os.environ if name != "NO_COLOR"}, **environment)
            subprocess.check_call(command, env=environment, stdout=terminal)
            self.assertEqual(b"\033[1minterpreter" in os.read(ours, 4096), has_colours, environment)
            os.close(ours)
            os.close(terminal)


if __name__ == "__main__":
    unittest.main()
