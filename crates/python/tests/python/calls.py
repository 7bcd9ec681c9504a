"""Calls of ``fork_exec`` with the argument list of the running version, and their outcomes."""

import json
import os
import sys

import _posixsubprocess

VERSION = sys.version_info[:2]

NAMES = ["args", "executable_list", "close_fds", "fds_to_keep", "cwd", "env", "p2cread", "p2cwrite", "c2pread",
         "c2pwrite", "errread", "errwrite", "errpipe_read", "errpipe_write", "restore_signals", "call_setsid"]
if VERSION >= (3, 11):
    NAMES.append("pgid_to_set")
if VERSION >= (3, 9):
    NAMES += ["gid", "extra_groups", "uid", "child_umask"]
NAMES.append("preexec_fn")
if (3, 11) <= VERSION <= (3, 13):
    NAMES.append("allow_vfork")

DEFAULTS = {
    "args": [b"program"], "executable_list": [b"/nowhere/program"], "close_fds": True, "fds_to_keep": (), "cwd": None,
    "env": None, "p2cread": -1, "p2cwrite": -1, "c2pread": -1, "c2pwrite": -1, "errread": -1, "errwrite": -1,
    "errpipe_read": -1, "errpipe_write": -1, "restore_signals": True, "call_setsid": False, "pgid_to_set": -1, "gid": None,
    "extra_groups": None, "uid": None, "child_umask": -1, "preexec_fn": None, "allow_vfork": True,
}

#: Reports the state of a program at its start, as JSON on descriptor 9.
SEES = r"""
import json, os, signal, sys
def inode(fd):
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return [status.st_dev, status.st_ino]
fds = sorted(int(name) for name in os.listdir('/proc/self/fd'))
fds = [fd for fd in fds if inode(fd) is not None]
with open('/proc/self/status') as file:
    status = dict(line.rstrip('\n').split(':\t', 1) for line in file if ':\t' in line)
mask = os.umask(0)
seen = {
    'fds': fds, 'std': [inode(fd) for fd in (0, 1, 2)], 'cwd': os.getcwd(), 'umask': mask,
    'uids': status['Uid'].split(), 'gids': status['Gid'].split(), 'groups': sorted(os.getgroups()),
    'leads_session': os.getsid(0) == os.getpid(), 'leads_group': os.getpgid(0) == os.getpid(),
    'ignored': status['SigIgn'], 'blocked': status['SigBlk'], 'caught': status['SigCgt'],
    'argv': sys.argv, 'env': {key: os.environ[key] for key in sorted(os.environ) if key.startswith('CONTRACT')},
}
with os.fdopen(9, 'w') as file:
    file.write(json.dumps(seen))
"""


def arguments(**changes):
    values = dict(DEFAULTS, **changes)
    return [values[name] for name in NAMES]


def described(error):
    return "{}: {}".format(type(error).__name__, error)


def status_of(pid):
    status = os.waitpid(pid, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def drained(fd):
    """Returns the content of a pipe whose writing ends are closed in this process."""
    content = b""
    while True:
        read = os.read(fd, 65536)
        if not read:
            os.close(fd)
            return content.decode()
        content += read


def call(keep_errpipe=True, **changes):
    """Returns the status of the child and the text on the error pipe, or the exception."""
    reader, writer = os.pipe()
    changes.setdefault("errpipe_read", reader)
    changes.setdefault("errpipe_write", writer)
    keep = changes.get("fds_to_keep", ())
    if keep_errpipe and isinstance(keep, tuple) and all(type(fd) is int for fd in keep) and list(keep) == sorted(set(keep)):
        changes["fds_to_keep"] = tuple(sorted({*keep, writer}))
    try:
        pid = _posixsubprocess.fork_exec(*arguments(**changes))
    except BaseException as error:
        return described(error)
    finally:
        os.close(writer)
    report = drained(reader)
    return [status_of(pid), report]


def sees(argv=(), **changes):
    """Returns the outcome of a call, and the report that the program writes to descriptor 9."""
    reader, writer = os.pipe()
    os.dup2(writer, 9, inheritable=False)
    os.close(writer)
    flags = ["-I", "-S", "-c", SEES]
    changes.setdefault("args", [os.fsencode(sys.executable)] + flags + list(argv))
    changes.setdefault("executable_list", [os.fsencode(os.path.realpath(sys.executable))])
    changes["fds_to_keep"] = tuple(sorted({*changes.get("fds_to_keep", ()), 9}))
    outcome = call(**changes)
    os.close(9)
    text = drained(reader)
    return [outcome, json.loads(text) if text else None]


def raw(*values, **keywords):
    try:
        pid = _posixsubprocess.fork_exec(*values, **keywords)
    except BaseException as error:
        return described(error)
    return ["started", status_of(pid)]
