"""The cases of the contract. Each is a function that returns a value to compare between the modules."""

import errno
import gc
import itertools
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

import _posixsubprocess
from calls import NAMES, VERSION, arguments, call, described, raw, sees

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


# The arguments.

class Raises:
    def __bool__(self):
        raise ZeroDivisionError("truth")

    def __index__(self):
        raise ZeroDivisionError("index")

    def __fspath__(self):
        raise ZeroDivisionError("path")

    def __len__(self):
        raise ZeroDivisionError("length")

    def __getitem__(self, index):
        raise ZeroDivisionError("item")


class Five:
    def __index__(self):
        return 5


class Big(int):
    pass


BAD = {
    "float": 2.5, "text": "x", "none": None, "object": 1 + 2j, "five": Five(), "big": Big(3), "true": True, "int": 2 ** 31,
    "long": 2 ** 40, "huge": 2 ** 70, "low": -2 ** 31 - 1, "lowest": -2 ** 70, "raises": Raises(), "list": [], "tuple": (),
    "bytes": b"x", "nul": b"a\0b", "nul text": "a\0b", "nul list": [b"a\0b"], "texts": ["a"], "ints": [5], "dict": {b"a": 1},
}


@case
def arity():
    full = arguments()
    return [raw(*full[:length]) for length in range(len(full))] + [raw(*full, None), raw(*full, None, None)]


@case
def keywords():
    return [raw(*arguments(), args=1), raw(args=1), raw(*arguments()[:-1], preexec_fn=None)]


def bad_argument(name):
    return {label: call(**{name: value}) for label, value in BAD.items()}


for _name in NAMES:
    CASES["bad_" + _name] = (lambda name: lambda: bad_argument(name))(_name)


@case
def which_of_two_errors_shows():
    wrong = {"args": [5], "executable_list": ["x"], "close_fds": Raises(), "fds_to_keep": [1], "cwd": 5, "env": [5],
             "p2cread": 2.5, "errpipe_write": 2.5, "restore_signals": Raises(), "call_setsid": Raises(), "pgid_to_set": 2.5,
             "gid": "g", "extra_groups": (1,), "uid": "u", "child_umask": "m", "allow_vfork": Raises()}
    semantic = {"keep list": ("fds_to_keep", (5, 4)), "errpipe": ("errpipe_write", 1), "nul": ("cwd", "a\0b"),
                "nul env": ("env", [b"a\0b"]), "nul args": ("args", [b"a\0b"]), "groups": ("extra_groups", [2.5])}
    faults = {name: (name, value) for name, value in wrong.items()}
    faults.update(semantic)
    faults = {label: fault for label, fault in faults.items() if fault[0] in NAMES}
    shown = {}
    for (one, (name, value)), (other, (second, worse)) in itertools.combinations(sorted(faults.items()), 2):
        if name != second:
            shown[one + " and " + other] = call(**{name: value, second: worse})
    return shown


@case
def keep_lists():
    lists = [(5, 4), (4, 4), (-1,), ("a",), (2 ** 31,), (2 ** 70,), (4.0,), (None,), (3, 4, 4), (True,), (0, 1, 2)]
    return {repr(keep): call(fds_to_keep=keep, keep_errpipe=False) for keep in lists}


@case
def changing_args():
    args = ["a", None, "c"]

    class Shrinks:
        def __fspath__(self):
            del args[2:]
            return "b"

    args[1] = Shrinks()
    return call(args=args)


@case
def sequences_of_every_kind():
    class Lazy:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            if index > 1:
                raise IndexError(index)
            return [b"/nowhere", b"/nowhere/too"][index]

    kinds = {"tuple": (b"/nowhere",), "generator": (b for b in [b"/x"]), "lazy": Lazy(), "set": {b"/nowhere"}, "bytes": b"ab",
             "bytearray": [bytearray(b"/x")], "empty": []}
    outcomes = {}
    for label, kind in sorted(kinds.items()):
        for name in ("executable_list", "args", "env"):
            if (label, name) != ("empty", "executable_list"):
                outcomes[name + " " + label] = call(**{name: kind})
    return outcomes


@case
def too_many_groups():
    return [call(extra_groups=[0] * length) for length in (65536, 65537)] if VERSION >= (3, 9) else None


@case
def ids_at_the_edges():
    if VERSION < (3, 9):
        return None
    values = [-1, -2, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 63, 2 ** 64, -2 ** 63, -2 ** 64, True, Five(), "1"]
    names = ("gid", "uid")
    outcomes = {name: [call(**{name: value}) for value in values] for name in names}
    outcomes["groups"] = [call(extra_groups=[value]) for value in values]
    return outcomes


# The report.

def directory_with(**files):
    directory = tempfile.mkdtemp()
    os.chmod(directory, 0o755)
    for name, (mode, content) in files.items():
        path = os.path.join(directory, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode)
    return os.fsencode(directory)


@case
def exec_failures():
    d = directory_with(plain=(0o644, b"x"), odd=(0o755, b"no program\n"), lost=(0o755, b"#!/nowhere/sh\n"))
    os.symlink(b"loop", d + b"/loop")
    lists = [[b"/nowhere"], [d + b"/plain"], [d + b"/odd"], [d + b"/lost"], [d], [d + b"/plain/x"], [d + b"/loop"],
             [d + b"/none", d + b"/plain", d + b"/none"], [d + b"/plain/x", d + b"/none"], [d + b"/none", d + b"/plain/x"],
             [d + b"/odd", d + b"/plain"], [d + b"/plain", d + b"/odd"], [d + b"/" + b"n" * 300], [b""]]
    outcomes = [call(executable_list=candidates) for candidates in lists]
    outcomes.append(call(executable_list=[b"/bin/true"], args=[b"a" * (1 << 18)]))
    outcomes.append(call(executable_list=[d + b"/none", b"/bin/true"]))
    with open(d + b"/busy", "wb") as busy:
        busy.write(open("/bin/true", "rb").read())
        os.chmod(d + b"/busy", 0o755)
        busy.flush()
        outcomes.append(call(executable_list=[d + b"/busy"]))
    return outcomes


@case
def directory_failures():
    d = directory_with(plain=(0o644, b"x"))
    return [call(cwd=cwd, executable_list=[b"/bin/true"]) for cwd in (b"/nowhere", d + b"/plain", "", b"/" + b"n" * 300, d)]


@case
def failures_before_exec():
    true = {"executable_list": [b"/bin/true"]}
    outcomes = {}
    for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite", "errpipe_read"):
        for value in (700, -2, -3):
            outcomes["{} {}".format(name, value)] = call(**dict(true, **{name: value}))
    outcomes["no errpipe_read"] = call(errpipe_read=-1, **true)
    outcomes["keep what is closed"] = call(fds_to_keep=(700,), **true)
    pair = os.pipe()
    outcomes["close twice"] = call(p2cwrite=pair[0], c2pread=pair[0], **true)
    outcomes["keep what is closed by the child"] = call(p2cwrite=pair[1], fds_to_keep=(pair[1],), **true)
    outcomes["place what is closed by the child"] = call(c2pread=pair[1], c2pwrite=pair[1], **true)
    if VERSION >= (3, 11):
        outcomes["group of a leader"] = call(call_setsid=True, pgid_to_set=0, **true)
        outcomes["no such group"] = call(pgid_to_set=2 ** 22 + 5, **true)
        outcomes["both wrong"] = call(pgid_to_set=2 ** 22 + 5, cwd="/nowhere", **true)
    return outcomes


@case
def report_pipe_that_is_not_kept():
    kept = [call(keep_errpipe=False), call(keep_errpipe=False, cwd="/nowhere"), call(keep_errpipe=False, close_fds=False),
            call(keep_errpipe=False, preexec_fn=int)]
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    extra = os.dup(reader)
    outcome = sees(keep_errpipe=False, errpipe_read=reader, errpipe_write=writer)
    os.close(extra)
    return [kept, outcome[0], outcome[1]["fds"] if outcome[1] else None]


@case
def report_pipe_that_is_kept_and_inheritable():
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    outcomes = [sees(errpipe_write=writer, fds_to_keep=(writer,)), sees(errpipe_read=reader, errpipe_write=writer, fds_to_keep=(writer,))]
    return [[outcome, writer in seen["fds"]] for outcome, seen in outcomes]


@case
def report_pipe_among_the_standard_streams():
    reader, writer = os.pipe()
    spare = [os.dup(fd) for fd in (0, 1, 2)]
    outcomes = []
    for target in (0, 1, 2):
        os.dup2(writer, target, inheritable=False)
        for close_fds in (False, True):
            outcomes.append(call(errpipe_write=target, close_fds=close_fds))
        os.dup2(spare[target], target)
    os.close(writer)
    return [outcomes, os.read(reader, 1000).decode()]


@case
def ends_of_the_parent_among_the_standard_streams():
    outcomes = [sees(p2cwrite=0), sees(c2pread=1), sees(c2pread=2), sees(errread=2)]
    return [[outcome, seen["fds"] if seen else None] for outcome, seen in outcomes]


@case
def nobody_reads_the_report():
    reader, writer = os.pipe()
    other = os.open("/dev/null", os.O_RDONLY)
    os.close(reader)
    return [call(errpipe_read=other, errpipe_write=writer, fds_to_keep=(writer,)),
            call(errpipe_read=other, errpipe_write=writer, fds_to_keep=(writer,), restore_signals=False)]


# Descriptors.

def six_files():
    """0, 1, 2, 20, 21 and 22 are six different files."""
    for fd in (0, 1, 2, 20, 21, 22):
        file = os.open(tempfile.mktemp(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        if file != fd:
            os.dup2(file, fd, inheritable=False)
            os.close(file)


def placed(**changes):
    files = {(lambda s: (s.st_dev, s.st_ino))(os.fstat(fd)): fd for fd in (0, 1, 2, 20, 21, 22)}
    outcome, seen = sees(**changes)
    std = [files.get(tuple(inode)) if inode else None for inode in seen["std"]] if seen else None
    return [outcome, std, seen["fds"] if seen else None]


@case
def collisions():
    stderr = os.dup(2)
    os.set_inheritable(stderr, False)
    six_files()
    outcomes = {}
    for p2cread, c2pwrite, errwrite in itertools.product((-1, 0, 1, 2, 21), repeat=3):
        key = "{} {} {}".format(p2cread, c2pwrite, errwrite)
        outcomes[key] = placed(p2cread=p2cread, c2pwrite=c2pwrite, errwrite=errwrite)
    return outcomes


@case
def collisions_of_a_fork():
    six_files()
    chosen = [(1, 0, 1), (2, 0, 1), (0, 0, 0), (1, 0, 0), (2, 1, 0), (1, 2, 0), (0, 1, 2), (20, 20, 20), (-1, 0, 1)]
    return [placed(p2cread=a, c2pwrite=b, errwrite=c, preexec_fn=int) for a, b, c in chosen]


@case
def standard_streams_that_exec_would_close():
    six_files()
    for fd in (0, 1, 2):
        os.set_inheritable(fd, fd == 1)
    outcomes = [placed(), placed(close_fds=False), placed(p2cread=0, c2pwrite=1, errwrite=2)]
    for fd in (0, 1, 2):
        os.close(fd)
    outcome, seen = sees()
    outcomes.append([outcome, [inode is not None for inode in seen["std"]] if seen else None])
    return outcomes


@case
def low_parent_ends():
    six_files()
    return [placed(p2cread=20, p2cwrite=0), placed(c2pread=1, c2pwrite=20), placed(errread=2, errwrite=1)]


@case
def kept_descriptors():
    base = os.open("/dev/null", os.O_RDWR)
    for fd in range(20, 40):
        os.dup2(base, fd, inheritable=fd % 2 == 0)
    sets = [(), (20,), (20, 21), (20, 21, 22, 23), (21, 23, 25), tuple(range(20, 40)), (0, 1, 2, 20), (39,)]
    outcomes = []
    for keep in sets:
        for close_fds in (True, False):
            outcomes.append([outcome if index else outcome[0] for index, outcome in enumerate(
                [sees(fds_to_keep=keep, close_fds=close_fds)])])
            outcome, seen = sees(fds_to_keep=keep, close_fds=close_fds)
            outcomes.append([outcome, seen["fds"] if seen else None])
    return outcomes


@case
def many_high_descriptors():
    base = os.open("/dev/null", os.O_RDWR)
    crowd = [os.dup(base) for _ in range(1500)]
    file = os.open(tempfile.mktemp(), os.O_RDWR | os.O_CREAT)
    ends = [os.pipe() for _ in range(3)]
    high = sorted(fd for pair in ends for fd in pair)
    outcomes = []
    for keep in ((), (high[0],), (high[0], high[1]), (crowd[-2], crowd[-1]), (3, crowd[700], crowd[-1]), (file,), tuple(crowd[-40:])):
        outcome, seen = sees(fds_to_keep=keep, p2cread=ends[0][0], c2pwrite=ends[1][1], p2cwrite=ends[0][1], c2pread=ends[1][0])
        names = {fd: number for number, fd in enumerate(sorted({*crowd, *high, file}))}
        outcomes.append([outcome, [names.get(fd, fd) for fd in seen["fds"]] if seen else None])
        ends[0:2] = [os.pipe() for _ in range(2)]
    outcomes.append(call(cwd="/nowhere"))
    outcomes.append(call(keep_errpipe=False))
    inheritable = {os.get_inheritable(fd) for fd in crowd + [file]}
    return [outcomes, sorted(inheritable)]


@case
def a_lowered_limit():
    base = os.open("/dev/null", os.O_RDWR)
    os.dup2(base, 900)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    outcomes = [sees()[1]["fds"], sees(fds_to_keep=(900,))]
    return [outcomes[0], outcomes[1][0], outcomes[1][1]["fds"] if outcomes[1][1] else None]


@case
def what_is_open_in_the_parent_stays():
    base = os.open("/dev/null", os.O_RDWR)
    os.dup2(base, 30, inheritable=True)
    os.dup2(base, 31, inheritable=False)
    before = sorted(os.listdir("/proc/self/fd"))
    for changes in ({}, {"fds_to_keep": (30, 31)}, {"close_fds": False}, {"executable_list": [b"/bin/true"]}):
        call(**changes)
    return [before == sorted(os.listdir("/proc/self/fd")), os.get_inheritable(30), os.get_inheritable(31)]


# The process.

def attributes(**changes):
    outcome, seen = sees(**changes)
    if seen:
        for key in ("fds", "std", "argv"):
            del seen[key]
    return [outcome, seen]


@case
def plain_attributes():
    return [attributes(), attributes(cwd="/"), attributes(cwd=b"/usr"), attributes(restore_signals=False), attributes(call_setsid=True)]


@case
def umask():
    masks = (-1, 0, 0o22, 0o777, 0o1777)
    return [attributes(child_umask=mask) for mask in masks] if VERSION >= (3, 9) else None


@case
def process_groups():
    if VERSION < (3, 11):
        return None
    return [attributes(pgid_to_set=group) for group in (-1, 0, -5, os.getpgid(0))]


@case
def identities():
    if VERSION < (3, 9) or os.geteuid() != 0:
        return None
    changes = [{"uid": 12345}, {"gid": 12345}, {"extra_groups": []}, {"extra_groups": [5, 7]}, {"uid": 0}, {"uid": 2 ** 32 - 1},
               {"uid": 12345, "gid": 23456, "extra_groups": [7, 5, 7]}, {"gid": 2 ** 32 - 1}, {"extra_groups": [2 ** 32 - 1]},
               {"uid": 12345, "preexec_fn": int}, {"uid": 2 ** 31}]
    base = {"executable_list": [b"/bin/cat"], "args": [b"cat", b"/proc/self/status"]}
    outcomes = []
    for change in changes:
        with tempfile.TemporaryFile() as output:
            outcome = call(**dict(base, c2pwrite=output.fileno(), **change))
            output.seek(0)
            lines = output.read().decode().splitlines()
        outcomes.append([outcome, [line for line in lines if line.startswith(("Uid", "Gid", "Groups"))]])
    return outcomes


@case
def identities_that_are_refused():
    if VERSION < (3, 9):
        return None
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    true = {"executable_list": [b"/bin/true"]}
    changes = [{"uid": 0}, {"gid": 0}, {"extra_groups": []}, {"extra_groups": [0]}, {"uid": 65534}, {"gid": 65534},
               {"uid": 0, "cwd": "/nowhere"}, {"gid": 0, "preexec_fn": int}]
    return [call(**dict(true, **change)) for change in changes]


@case
def a_directory_for_root_alone():
    """CPython changes the directory before the ids."""
    if VERSION < (3, 9) or os.geteuid() != 0:
        return None
    with tempfile.TemporaryDirectory() as directory:
        return [call(executable_list=[b"/bin/true"], cwd=directory, uid=65534),
                call(executable_list=[b"/bin/true"], cwd=directory, uid=65534, gid=65534, preexec_fn=int)]


@case
def signals():
    usr1 = {signal.SIGUSR1}
    outcomes = [attributes()]
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    outcomes += [attributes(), attributes(restore_signals=False), attributes(preexec_fn=int)]
    signal.pthread_sigmask(signal.SIG_BLOCK, usr1)
    outcomes += [attributes(), attributes(preexec_fn=int), attributes(preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, set()))]
    return outcomes + [sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])) == sorted(usr1)]


@case
def environments():
    os.environ["CONTRACT"] = "parent's"
    outcomes = [sees()[1]["env"], sees(env=[])[1]["env"], sees(env=[b"CONTRACT=1", b"CONTRACT_2=a=b"])[1]["env"], sees(env=())[1]["env"]]
    os.environ["CONTRACT"] = "changed"
    del os.environ["CONTRACT"]
    return outcomes + [sees()[1]["env"]]


@case
def argument_lists():
    seen = sees(argv=["a", b"b", ""])[1]["argv"]
    return [seen, call(args=None), call(args=[]), call(args=None, executable_list=[b"/bin/true"]), call(args=[], executable_list=[b"/bin/true"])]


@case
def statuses():
    sh = {"executable_list": [b"/bin/sh"]}
    return [call(args=[b"sh", b"-c", script], **sh) for script in (b"exit 7", b"kill -9 $$", b"true")]


@case
def sigchld():
    """A wait for any child also returns a child that failed."""
    caught = []
    signal.signal(signal.SIGCHLD, lambda number, _: caught.append(number))
    outcomes = []
    for program in (b"/nowhere", b"/bin/true"):
        reader, writer = os.pipe()
        pid = _posixsubprocess.fork_exec(*arguments(executable_list=[program], errpipe_read=reader, errpipe_write=writer, fds_to_keep=(writer,)))
        found, status = os.waitpid(-1, 0)
        time.sleep(0.01)
        outcomes.append([found == pid, status, len(caught)])
    return outcomes


# The closure and the hooks.

def in_child(function):
    """Returns the outcome of a call, and the result of a function in its child before exec."""
    reader, writer = os.pipe()

    def tell():
        os.write(writer, repr(function()).encode())

    outcome = call(executable_list=[b"/bin/true"], preexec_fn=tell, fds_to_keep=(writer,))
    os.close(writer)
    text = os.read(reader, 10000).decode()
    os.close(reader)
    return [outcome, text]


def raising(error):
    def raises():
        raise error
    return raises


@case
def closures_that_fail():
    true = {"executable_list": [b"/bin/true"]}
    errors = [ValueError("x"), SystemExit(3), KeyboardInterrupt(), OSError(5, "x"), MemoryError()]
    outcomes = [call(preexec_fn=raising(error), **true) for error in errors]
    outcomes += [call(preexec_fn=value, **true) for value in (5, "x", lambda x: x, lambda: 5, False, 0)]
    outcomes.append(call(preexec_fn=lambda: os._exit(9), **true))
    outcomes.append(call(preexec_fn=lambda: os.kill(os.getpid(), 9), **true))
    outcomes.append(call(preexec_fn=raising(ValueError()), cwd="/nowhere"))
    outcomes.append(call(preexec_fn=int))
    outcomes.append(call(preexec_fn=int, cwd="/nowhere"))
    return outcomes


@case
def closures_that_close_the_report():
    reader, writer = os.pipe()
    outcome = call(errpipe_write=writer, preexec_fn=lambda: os.close(writer), fds_to_keep=(writer,))
    return [outcome, call(preexec_fn=lambda: os.closerange(3, 200), executable_list=[b"/bin/true"])]


@case
def closures_see():
    signal.signal(signal.SIGUSR1, lambda *_: None)
    pair = os.pipe()
    return [
        in_child(gc.isenabled), in_child(os.getcwd), in_child(lambda: threading.current_thread().name),
        in_child(lambda: os.getppid() == os.getpid()), in_child(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        in_child(lambda: signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL), in_child(threading.active_count),
        in_child(lambda: os.kill(os.getpid(), signal.SIGUSR1)), in_child(lambda: os.fstat(pair[0]) is not None),
    ]


@case
def closures_that_open():
    outcome, seen = sees(preexec_fn=lambda: os.dup2(1, 40))
    kept = sees(preexec_fn=lambda: os.dup2(1, 40), close_fds=False)
    return [outcome, seen["fds"], kept[0], 40 in kept[1]["fds"]]


@case
def hooks():
    log = []
    os.register_at_fork(before=lambda: log.append(["before", gc.isenabled()]),
                        after_in_parent=lambda: log.append(["parent", gc.isenabled()]),
                        after_in_child=lambda: os.write(2, b""))
    outcomes = []
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        for changes in ({}, {"preexec_fn": int}, {"preexec_fn": raising(ValueError())}, {"preexec_fn": int, "cwd": 5},
                        {"preexec_fn": int, "fds_to_keep": (5, 4)}, {"preexec_fn": int, "args": 5}, {"close_fds": False}):
            del log[:]
            outcome = call(**changes)
            outcomes.append([outcome, list(log), gc.isenabled()])
    return outcomes


@case
def hooks_that_raise():
    os.register_at_fork(before=raising(ValueError("before")), after_in_parent=raising(ValueError("parent")),
                        after_in_child=raising(ValueError("child")))
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 2)
    return [call(preexec_fn=int, executable_list=[b"/bin/true"]), call(executable_list=[b"/bin/true"])]


@case
def gc_functions_that_fail():
    outcomes = []
    for name in ("isenabled", "disable", "enable"):
        original = getattr(gc, name)
        setattr(gc, name, raising(RuntimeError(name)))
        outcomes.append(call(preexec_fn=int))
        setattr(gc, name, original)
        gc.enable()
    return outcomes


@case
def audit_events():
    events = []
    log = [False]
    sys.addaudithook(lambda name, _: events.append(name) if log[0] else None)
    for changes in ({}, {"preexec_fn": int}):
        log[0] = True
        reader, writer = 5, 6
        try:
            pid = _posixsubprocess.fork_exec(*arguments(errpipe_read=0, errpipe_write=7, **changes))
        finally:
            log[0] = False
        os.waitpid(pid, 0)
    return [event for event in events if event != "object.__getattr__"]


@case
def an_audit_hook_that_is_told_and_objects():
    seen = []
    order = {"before": lambda: seen.append("before"), "after_in_parent": lambda: seen.append("after")}
    os.register_at_fork(**order)
    objects = [False]

    def hook(event, values):
        if event == "_posixsubprocess.fork_exec":
            seen.append([repr(value) for value in values] + [gc.isenabled()])
            if objects[0]:
                raise ZeroDivisionError("objection")

    sys.addaudithook(hook)
    outcomes = []
    for objects[0] in (False, True):
        for changes in ({}, {"env": [b"A=B"]}, {"args": None}, {"preexec_fn": int}, {"executable_list": [b"a\0b"]}, {"cwd": "a\0b"},
                        {"cwd": 5}, {"fds_to_keep": (-1,)}, {"args": ()}, {"preexec_fn": int, "env": [5]}):
            outcomes.append([described(changes), call(**changes), gc.isenabled()])
    return [outcomes, seen]


@case
def a_fork_that_fails():
    if os.geteuid() == 0:
        os.setresuid(64321, 64321, 64321)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    log = []
    os.register_at_fork(before=lambda: log.append("before"), after_in_parent=lambda: log.append("parent"))
    return [call(), call(preexec_fn=int), log, gc.isenabled()]


@case
def threads_start_children_at_once():
    outcomes = []

    def work():
        for _ in range(20):
            outcomes.append(call()[0])
            outcomes.append(call(executable_list=[b"/bin/true"])[0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return sorted(outcomes)


# The interpreter.

SUBINTERPRETER = """
try:
    {prepare}
    import os, subprocess
    subprocess._USE_POSIX_SPAWN = False
    {run}
    text = 'started'
except BaseException as error:
    text = type(error).__name__ + ': ' + str(error)
import os
os.write({fd}, text.encode())
"""


def in_subinterpreter(run, isolated):
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    reader, writer = os.pipe()
    prepare = "import forkexec_posixsubprocess; forkexec_posixsubprocess.install()" if sys.argv[1] == "ours" else "pass"
    code = SUBINTERPRETER.format(prepare=prepare, run=run, fd=writer)
    if VERSION >= (3, 13):
        interpreter = interpreters.create("isolated" if isolated else "legacy")
    elif VERSION >= (3, 9):
        interpreter = interpreters.create(isolated=isolated)
    else:
        interpreter = interpreters.create()
    try:
        failed = interpreters.run_string(interpreter, code)
    except Exception as error:
        failed = described(error)
    os.close(writer)
    return [os.read(reader, 10000).decode(), failed is None]


@case
def subinterpreters():
    runs = ["subprocess.Popen(['/bin/true']).wait()", "subprocess.Popen(['/bin/true'], preexec_fn=int).wait()"]
    kinds = (False, True) if VERSION >= (3, 9) else (False,)
    return [in_subinterpreter(run, isolated) for run in runs for isolated in kinds]


def script(code):
    prepare = "import forkexec_posixsubprocess; forkexec_posixsubprocess.install()" if sys.argv[1] == "ours" else ""
    done = subprocess.run([sys.executable, "-c", prepare + "\n" + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    last = done.stderr.strip().splitlines()[-1:]
    return [done.returncode, done.stdout, last]


@case
def the_interpreter_s_end():
    start = "subprocess.Popen(['/bin/true'], {})"
    head = "import subprocess, atexit\nsubprocess._USE_POSIX_SPAWN = False\n"
    outcomes = []
    for options in ("", "preexec_fn=int"):
        popen = start.format(options)
        outcomes.append(script(head + "class C:\n def __del__(self):\n  print({}.wait())\nc = C()".format(popen)))
        outcomes.append(script(head + "atexit.register(lambda: print({}.wait()))".format(popen)))
        outcomes.append(script(head + "import threading\ndef f():\n import time; time.sleep(.1); print({}.wait())\nthreading.Thread(target=f).start()".format(popen)))
    return outcomes


@case
def multiprocessing_spawns():
    return script("import multiprocessing as m, os\n"
                  "if __name__ == '__main__':\n p = m.get_context('spawn').Process(target=print, args=('hello',)); p.start(); p.join(); print(p.exitcode)")


@case
def subprocess_s_exceptions():
    d = os.fsdecode(directory_with(plain=(0o644, b"x")))
    outcomes = []
    for args, options in ((["/nowhere"], {}), ([d + "/plain"], {}), (["/bin/true"], {"cwd": "/nowhere"}), (["/bin/true"], {"preexec_fn": 5}),
                          (["nowhere"], {}), (["/bin/true", "a\0"], {}), (["/bin/true"], {"env": {"A": "b\0"}})):
        try:
            subprocess.Popen(args, **options).wait()
        except Exception as error:
            outcomes.append([described(error).replace(d, "DIR"), str(getattr(error, "filename", None)).replace(d, "DIR")])
    return outcomes


@case
def the_module_itself():
    function = _posixsubprocess.fork_exec
    # A module that is built into the interpreter has no file.
    names = sorted(set(dir(_posixsubprocess)) - {"__file__"})
    return [_posixsubprocess.__name__, _posixsubprocess.__doc__, names, type(function).__name__,
            function.__name__, function.__module__, function.__qualname__, function.__self__ is _posixsubprocess,
            getattr(function, "__text_signature__", None)]
