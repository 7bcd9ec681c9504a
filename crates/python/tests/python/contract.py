"""Runs the cases of the contract with one module, each in its own process, and prints the outcomes as JSON.

usage: contract.py stock|ours [CASE...]
"""

import json
import os
import signal
import sys
import tempfile


def install(which):
    if which == "ours":
        import forkexec_posixsubprocess
        forkexec_posixsubprocess.install()
    import _posixsubprocess
    import subprocess
    subprocess._USE_POSIX_SPAWN = False
    is_ours = "forkexec_posixsubprocess" in (getattr(_posixsubprocess, "__file__", None) or "")
    assert is_ours == (which == "ours"), _posixsubprocess.__file__


def isolated(case, seconds=900):
    """Runs a case in a forked process with a time limit, and returns its result."""
    with tempfile.TemporaryFile() as result:
        pid = os.fork()
        if pid == 0:
            signal.alarm(seconds)
            try:
                value = case()
            except BaseException as error:
                value = "case failed: {!r}".format(error)
            os.lseek(result.fileno(), 0, os.SEEK_SET)
            os.write(result.fileno(), json.dumps(value, default=str).encode())
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        result.seek(0)
        text = result.read()
        return json.loads(text.decode()) if status == 0 and text else "case ended with status {}".format(status)


def main():
    which, chosen = sys.argv[1], sys.argv[2:]
    install(which)
    from cases import CASES
    import cases_of_liars  # noqa: F401 (adds its own)
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o1777)
        tempfile.tempdir = directory
        outcomes = {name: isolated(case) for name, case in CASES.items() if not chosen or name in chosen}
    text = json.dumps(outcomes, sort_keys=True)
    print(text.replace(directory, "TMP"))


if __name__ == "__main__":
    main()
