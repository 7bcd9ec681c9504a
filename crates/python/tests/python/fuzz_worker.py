"""Makes the calls of the fuzzer with one module, and prints the outcome of each call as a line of JSON.

usage: fuzz_worker.py stock|ours SEED

A request is a line: ``[first, last, plain]`` or ``["show", number, plain]``.
"""

import fcntl
import gc
import json
import os
import re
import resource
import signal
import sys
import tempfile
import traceback

from contract import install

REQUESTS, ANSWERS = 900, 901
#: The pipe of calls that objects make while they are read.
AGAIN_READER, AGAIN_WRITER = 40, 41


def place(fd, target):
    os.dup2(fd, target, inheritable=False)
    os.close(fd)


def open_everything():
    """Opens the descriptors that the numbers of `fuzz_values` stand for."""
    import fuzz_values as v
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    os.dup2(0, REQUESTS, inheritable=False)
    os.dup2(1, ANSWERS, inheritable=False)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    for fd in (v.NULL_IN, v.NULL_OUT, v.HIGH_NULL):
        os.dup2(null, fd, inheritable=False)
    for reader, writer in ((v.REPORT_READER, v.REPORT_WRITER), (v.READER, v.WRITER), (v.HIGH_READER, v.HIGH_WRITER), (AGAIN_READER, AGAIN_WRITER)):
        ends = os.pipe()
        # A child can write more than the default size of a pipe before the worker reads.
        fcntl.fcntl(ends[1], 1031, 1 << 20)
        os.set_blocking(ends[0], False)
        place(ends[0], reader)
        place(ends[1], writer)
    for target in (v.OUTPUT, v.ERRORS):
        file, path = tempfile.mkstemp()
        os.unlink(path)
        fcntl.fcntl(file, fcntl.F_SETFL, os.O_APPEND)
        place(file, target)
    # Descriptors that a module opens for itself must not get the numbers that the arguments name.
    while os.dup(null) < v.REPORT_READER - 1:
        pass
    # Before other descriptors take the low numbers.
    if sys.argv[1] == "ours":
        import forkexec_posixsubprocess
        forkexec_posixsubprocess.install(low_numbers=4)


def drained(reader):
    content = b""
    while True:
        try:
            content += os.read(reader, 1 << 16)
        except BlockingIOError:
            return text(content)


def text(content):
    return content.decode("latin-1") if len(content) < 2000 else [len(content), content[-200:].decode("latin-1")]


def taken(file):
    content = os.pread(file, 1 << 20, 0)
    os.ftruncate(file, 0)
    return text(content)


def status_of(pid):
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def described(error):
    if error is None:
        return None
    shown = re.sub("0x[0-9a-f]+", "0x", "{}: {}".format(type(error).__name__, ascii(error.args)))
    return [shown[:1000], described(error.__cause__), described(error.__context__) if error.__context__ is not error.__cause__ else None]


class Again:
    """Starts a missing program from within another call."""

    def __init__(self, fork_exec):
        from calls import arguments
        self.fork_exec, self.arguments, self.is_nested = fork_exec, arguments, False

    def __call__(self):
        if self.is_nested:
            return "nested"
        self.is_nested = True
        try:
            pid = self.fork_exec(*self.arguments(errpipe_read=AGAIN_READER, errpipe_write=AGAIN_WRITER, fds_to_keep=(AGAIN_WRITER,)))
            return [status_of(pid), drained(AGAIN_READER)]
        finally:
            self.is_nested = False


def tries_nothing(world):
    """Returns True if the list of programs may have been empty when it was read. Then the report is an earlier errno."""
    programs = world.values.get("executable_list")
    if id(programs) in world.claimed:
        return 0 in world.claimed[id(programs)]
    sized = isinstance(programs, (list, tuple, bytes, str, bytearray)) or hasattr(type(programs), "__getitem__")
    return sized and hasattr(type(programs), "__len__") and (len(programs) == 0 or programs in world.lists and world.has_mutated)


def finds_a_copy(world):
    """Returns True if the child closes the source of a stream, and another stream is copied first.

    The copy that the interpreter's module makes gets the number of the source."""
    def number(name):
        value = world.values.get(name)
        return int(int.__index__(value)) if isinstance(value, int) else world.numbers.get(id(value))

    streams = [number(name) for name in ("p2cread", "c2pwrite", "errwrite")]
    ends = [number(name) for name in ("p2cwrite", "c2pread", "errread", "errpipe_read")]
    return (streams[1] == 0 or streams[2] in (0, 1)) and any(stream in ends for stream in streams if stream != -1)


def outcome(fork_exec, number, plain, again, opened):
    """Returns the outcome of one call."""
    import fuzz_values as v
    gc.enable()
    given, world = v.arguments_of(number, again, plain)
    objects = world.objects
    counts = [sys.getrefcount(value) for value in objects]
    try:
        pid = fork_exec(*given)
        result = ["started", status_of(pid)]
    except BaseException as error:
        result = ["raised", described(error)]
        error.__traceback__ = error.__context__ = None
    report = drained(v.REPORT_READER)
    output = [taken(v.OUTPUT), taken(v.ERRORS), drained(v.READER), drained(v.HIGH_READER)]
    if result == ["started", 255] and tries_nothing(world):
        report, output = "no program", []
    if result[0] == "started" and finds_a_copy(world):
        result, report, output = ["started"], "", []
    return {
        "result": result, "report": report, "output": output,
        "events": world.events, "descriptors": sorted(opened ^ descriptors()), "collects": gc.isenabled(),
        "references": [sys.getrefcount(value) - count for value, count in zip(objects, counts)],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    }


def descriptors():
    return set(os.listdir("/proc/self/fd"))


def main():
    which, seed = sys.argv[1], int(sys.argv[2])
    open_everything()
    install(which)
    import _posixsubprocess
    import fuzz_values
    again = Again(_posixsubprocess.fork_exec)
    opened = descriptors()
    requests, answers = os.fdopen(REQUESTS), os.fdopen(ANSWERS, "w")
    for request in requests:
        first, last, plain = json.loads(request)
        if first == "show":
            given, _ = fuzz_values.arguments_of(hash((seed, last)), again, plain)
            answers.write(json.dumps([fuzz_values.described(value) for value in given]) + "\n")
        else:
            for number in range(first, last):
                try:
                    came = outcome(_posixsubprocess.fork_exec, hash((seed, number)), plain, again, opened)
                except BaseException:
                    came = "worker failed: " + traceback.format_exc()
                answers.write(json.dumps(came, default=repr) + "\n")
                answers.flush()
        answers.flush()


if __name__ == "__main__":
    main()
