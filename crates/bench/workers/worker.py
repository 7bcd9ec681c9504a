"""A worker that spawns with subprocess: the protocol of `worker.rs`."""
import mmap
import os
import subprocess
import sys
import threading
import time

NOBODY = 65534
TARGET = 3

program = ["/bin/true"]
kept = (-1, -1)
memory = None


class Unable(Exception):
    pass


def options(task):
    if task == "plain":
        return {}
    if task == "captured":
        return {"stdout": subprocess.PIPE}
    if task == "kept":
        return {"pass_fds": kept}
    if task == "full" and sys.version_info >= (3, 9):
        # subprocess has no mapping: the child keeps the descriptor that already has the number.
        return {
            "user": NOBODY,
            "group": NOBODY,
            "extra_groups": [],
            "cwd": "/",
            "start_new_session": True,
            "pass_fds": (TARGET,),
        }
    raise Unable("it has no such operation")


def spawn(task):
    with subprocess.Popen(program, **options(task)) as child:
        if child.stdout:
            child.stdout.read()
    if child.returncode != 0:
        raise RuntimeError("the child ended with %d" % child.returncode)


def run(task, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        spawn(task)
        times.append(int((time.perf_counter() - start) * 1e9))
    return "ok " + " ".join(map(str, times))


def together(task, threads, count):
    def many():
        for _ in range(count):
            spawn(task)

    running = [threading.Thread(target=many) for _ in range(threads)]
    start = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return "ok %d" % ((time.perf_counter() - start) * 1e9)


def touch(size):
    global memory
    if size:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for at in range(0, size, 1 << 20):
            end = min(at + (1 << 20), size)
            memory[at:end] = b"\1" * (end - at)
    return "ok"


def answer(words):
    global program, kept
    if words[0] == "program":
        program = words[1:]
        return "ok"
    if words[0] == "keep":
        kept = (int(words[1]), int(words[2]))
        return "ok"
    if words[0] == "memory":
        return touch(int(words[1]))
    if words[0] == "run":
        return run(words[2], int(words[3]))
    if words[0] == "together":
        return together(words[2], int(words[3]), int(words[4]))
    return "error not understood"


while True:
    line = sys.stdin.readline()
    if not line:
        break
    try:
        said = answer(line.split())
    except Unable as reason:
        said = "no %s" % reason
    except Exception as reason:
        said = "error %s" % reason
    sys.stdout.write(said + "\n")
    sys.stdout.flush()
