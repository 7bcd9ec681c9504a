"""More cases of the contract: arguments that misreport their state, or have side effects while they are read."""

import collections
import decimal
import gc
import os
import re
import sys
import tempfile

from calls import NAMES, arguments, call, raw
from cases import case, in_child


class Claims:
    """A sequence that reports this length, independent of its items."""

    def __init__(self, length, *items):
        self.length, self.items = length, items

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return self.items[index]


CLAIMED = [1, 2 ** 20, 2 ** 44, 2 ** 59, 2 ** 60, sys.maxsize // 8, sys.maxsize // 8 + 1, sys.maxsize, sys.maxsize + 1, -1]


@case
def lengths_that_are_claimed():
    class Iterated(Claims):
        def __iter__(self):
            return iter(self.items)

    outcomes = {}
    for length in CLAIMED:
        for name in ("executable_list", "args", "env"):
            outcomes["{} {}".format(name, length)] = [call(**{name: kind(length, b"x")}) for kind in (Claims, Iterated)]
    return outcomes


@case
def calls_of_cpython_s_own_tests():
    """The calls of `test_capi`, for versions without that test."""
    class Long(Claims):
        def __getitem__(self, index):
            return b"x"

    class Sized:
        def __len__(self):
            return 1

    numbers = {name: 5 + place for place, name in enumerate(NAMES[4:])}
    numbers.update(restore_signals=True, call_setsid=True, allow_vfork=False)
    numbers = {name: value for name, value in numbers.items() if name in NAMES}
    base = dict(numbers, args=1, close_fds=3, fds_to_keep=(1, 2))
    given = [dict(base, executable_list=Sized()), dict(base, executable_list=Long(sys.maxsize)), dict(base, args=Sized(), executable_list=[b"1"])]
    return [raw(*arguments(**changes)) for changes in given]


class LyingList(list):
    def __len__(self):
        return self.length


@case
def lists_that_claim_another_length():
    outcomes = {}
    for name in {"args", "executable_list", "env", "extra_groups"} & set(NAMES):
        for length in CLAIMED:
            value = LyingList([5] if name == "extra_groups" else [b"x"])
            value.length = length
            outcomes["{} {}".format(name, length)] = call(**{name: value})
    return outcomes


class LyingTuple(tuple):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return -1

    def __iter__(self):
        return iter([-1])


@case
def keep_lists_of_a_subclass():
    base = os.open("/dev/null", os.O_RDWR)
    for fd in (20, 21, 22):
        os.dup2(base, fd)
    reader, writer = os.pipe()
    os.dup2(writer, 30, inheritable=False)
    outcomes = [call(keep_errpipe=False, errpipe_write=30, fds_to_keep=LyingTuple(keep)) for keep in ((20, 30), (30,), (22, 21), (20, 700))]
    with tempfile.TemporaryFile() as output:
        outcomes.append(call(keep_errpipe=False, errpipe_write=30, fds_to_keep=LyingTuple((20, 22, 30)), c2pwrite=output.fileno(),
                             executable_list=[b"/bin/sh"], args=[b"sh", b"-c", b"echo /proc/self/fd/*"]))
        output.seek(0)
        outcomes.append(output.read().decode())
    os.close(30)
    os.close(writer)
    return [outcomes, os.read(reader, 1000).decode()]


@case
def items_of_subclasses():
    """The interpreter's module copies the bytes at once, and then drops the item."""
    events = []

    class Bytes(bytes):
        def __del__(self):
            events.append(bytes(self))

        def __len__(self):
            return 2 ** 62

    class Lazy(Claims):
        def __getitem__(self, index):
            events.append(index)
            return Bytes(b"x%d" % index)

    class Path:
        def __init__(self, name):
            self.name = name

        def __fspath__(self):
            return Bytes(self.name)

    class Number(int):
        def __index__(self):
            raise ZeroDivisionError("index")

    outcomes = []
    for changes in ({"executable_list": Lazy(3)}, {"env": Lazy(3)}, {"args": [Path(b"a"), Path(b"b"), Path(b"c")], "env": Lazy(2)}, {"cwd": Path(b"/")},
                    {"args": (Bytes(b"t%d" % number) for number in range(3)), "env": Lazy(2)}, {"preexec_fn": int, "env": Lazy(2), "cwd": Path(b"/")}):
        del events[:]
        outcomes.append([call(**changes), list(map(str, events))])
    outcomes += [call(fds_to_keep=(Number(700),), keep_errpipe=False), call(p2cread=Number(-1)), call(args=[Bytes(b"a\0b")])]
    return outcomes


@case
def names_of_types():
    class Meta(type):
        @property
        def __name__(cls):
            raise ZeroDivisionError("name")

    class Named(metaclass=Meta):
        pass

    values = [decimal.Decimal("1.5"), collections.deque(), re.compile("x"), type("a.b", (), {})(), type("\u00e9" * 120, (), {})(), Named(), Named, None]
    return {name: [call(**{name: value}) for value in values] for name in ("fds_to_keep", "gid", "uid", "args", "p2cread") if name in NAMES}


def reentering(result):
    """Returns an object that starts a child each time it is converted, and then converts to this result."""
    outcomes = []

    class Reenters:
        def __fspath__(self):
            outcomes.append(call(cwd="/nowhere", executable_list=[b"/bin/true"]))
            return result

        def __index__(self):
            outcomes.append(call(executable_list=[b"/bin/true"]))
            return result

        def __bool__(self):
            outcomes.append(call(p2cread=Reenters(), executable_list=[b"/bin/true"]) if len(outcomes) < 3 else None)
            return bool(result)

        def __getitem__(self, index):
            outcomes.append(call(preexec_fn=int))
            return result[index]

        def __len__(self):
            return len(result)

    return Reenters(), outcomes


@case
def calls_within_calls():
    shown = {}
    for name, result in (("args", [b"x"]), ("executable_list", [b"/bin/true"]), ("env", [b"A=B"]), ("cwd", "/"), ("p2cread", -1), ("close_fds", True),
                         ("restore_signals", True), ("uid", -1), ("child_umask", -1)):
        if name in NAMES:
            value, outcomes = reentering(result)
            shown[name] = [call(**{name: value}), outcomes, gc.isenabled()]
    shown["preexec_fn"] = in_child(lambda: [call(), call(preexec_fn=int), gc.isenabled()])
    return shown


@case
def lists_that_change_while_they_are_read():
    changes = {"clear": lambda items: items.clear(), "pop": lambda items: items.pop(), "grow": lambda items: items.extend([b"x"] * 1000),
               "replace": lambda items: items.__setitem__(slice(1, None), [5] * (len(items) - 1))}
    outcomes = {}
    for label, change in sorted(changes.items()):
        for place in (0, 1, 2):
            args = [b"a", b"b", b"c"]

            class Changes:
                def __fspath__(self):
                    change(args)
                    return "changed"

                def __bool__(self):
                    change(args)
                    return True

            args[place] = keeper = Changes()
            outcomes["{} {}".format(label, place)] = call(args=args)
            args[:] = [b"a", b"b", b"c"]
            outcomes["{} {} before".format(label, place)] = [call(args=args, close_fds=keeper), call(env=args, close_fds=keeper)]
    return outcomes


@case
def copies_under_a_closed_number():
    reader, writer = os.pipe()
    outcomes = [call(c2pwrite=0, errwrite=reader, p2cwrite=reader), call(c2pwrite=1, errwrite=reader, p2cwrite=reader)]
    os.close(writer)
    return outcomes


@case
def streams_that_are_not_there_when_the_report_goes_to_one():
    reader, writer = os.pipe()
    spare = [os.dup(fd) for fd in (0, 1, 2)]
    outcomes = []
    for target in (0, 1, 2):
        for changes in ({"errwrite": -2}, {"c2pwrite": 700}, {"c2pwrite": writer, "errwrite": 700}, {"p2cread": writer, "c2pwrite": 700}):
            null = os.open("/dev/null", os.O_WRONLY)
            os.dup2(null, target, inheritable=False)
            os.close(null)
            outcomes.append(call(errpipe_write=target, close_fds=False, **changes))
            os.dup2(spare[target], target)
    os.close(writer)
    return [outcomes, os.read(reader, 1000).decode()]
