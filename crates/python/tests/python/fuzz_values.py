"""Random arguments of ``fork_exec`` from a number: valid ones, invalid ones, and objects that misbehave while they are read.

The same number gives the same arguments in every process of one version of the interpreter.
"""

import collections
import decimal
import gc
import os
import pathlib
import random
import sys

from calls import DEFAULTS, NAMES, VERSION

#: The descriptors that are open in a worker (`fuzz_worker` opens them).
REPORT_READER, REPORT_WRITER, OUTPUT, ERRORS, READER, WRITER, NULL_IN, NULL_OUT = range(20, 28)
HIGH_READER, HIGH_WRITER, HIGH_NULL = 600, 601, 700
OPEN = [REPORT_READER, REPORT_WRITER, OUTPUT, ERRORS, READER, WRITER, NULL_IN, NULL_OUT, HIGH_READER, HIGH_WRITER, HIGH_NULL]
#: Numbers that are not open.
CLOSED = [70, 710, 5000, 2 ** 20, 2 ** 31 - 1]

#: A script that lists the descriptors and the state at its start.
LIST = b"echo /proc/self/fd/*; pwd; umask; echo $0 $# $A; ulimit -n"

#: Each of these programs ends by itself with any input.
PROGRAMS = [
    ([b"/bin/echo"], [b"echo", b"a"]), ([b"/bin/true"], [b"true"]), ([b"/bin/false"], [b"false", b"x"]), ([b"/bin/pwd"], [b"pwd"]),
    ([b"/usr/bin/env"], ["env"]), ([b"/bin/sh"], [b"sh", b"-c", LIST]), ([b"/bin/sh"], ("sh", "-c", LIST, "p", "q")),
    ([b"/nowhere", b"/bin/echo"], [b"echo", "\u00e9"]), ([b"/nowhere/x", b"/nowhere"], [b"x"]), ([b"/etc/passwd"], [b"x"]), ([b"/"], [b"x"]),
]

LENGTHS = [0, 1, 1, 2, 2, 3, 5, -1, 1000, 2 ** 20, 2 ** 44, 2 ** 59, 2 ** 60, sys.maxsize // 8 - 1, sys.maxsize // 8, sys.maxsize // 8 + 1,
           sys.maxsize - 1, sys.maxsize, 2 ** 63, 2 ** 70, True, None, 1.5, "2"]

INTEGERS = [-1, -1, 0, 1, 2, 3, -2, 2 ** 31 - 1, 2 ** 31, -2 ** 31, -2 ** 31 - 1, 2 ** 32 - 1, 2 ** 32, 2 ** 63 - 1, 2 ** 63, -2 ** 63,
            -2 ** 63 - 1, 2 ** 64, 2 ** 70, -2 ** 70, True, False]

STRINGS = ["a", b"b", "", b"", "\u00e9", "\udcff", "\ud800", "a\0b", b"a\0b", b"\xff\xfe", "\U0001f600" * 3, "x" * 5000, b"y" * 200000,
           pathlib.PurePosixPath("p"), "A=B", b"A=B", b"=", "/", b"/nowhere", b"/bin/echo"]

#: Values that are valid for no argument.
OTHERS = [None, 1.5, float("nan"), float("inf"), 1j, Ellipsis, NotImplemented, object, len, int, frozenset([b"x"]), {b"a": b"b"}, {b"x"},
          decimal.Decimal("1.5"), decimal.Decimal(3), range(3), collections.deque([b"x"]), bytearray(b"x"), memoryview(b"xy"), type("a.b", (), {})(),
          type("\u00e9" * 120, (), {})()]

ACTIONS = [""] * 12 + ["raise"] * 2 + ["mutate"] * 4 + ["again", "collect", "error"]

ERRORS_RAISED = [ValueError, TypeError, IndexError, KeyError, OSError, ZeroDivisionError, KeyboardInterrupt, SystemExit, MemoryError,
                 StopIteration, RecursionError, AttributeError, OverflowError]

BASES = [object, object, object, object, list, tuple, bytes, str, int, bytearray, dict]


class Misbehaved(Exception):
    """An exception that some objects raise, and that no module knows."""


class World:
    """The objects of one call, with a log of the method calls on them."""

    def __init__(self, number, fork_exec_again):
        self.random = random.Random(number)
        self.events = []
        #: Keeps all objects alive until the call is over: the interpreter's module borrows some while their own code runs.
        self.objects = []
        self.lists = []
        self.asked = 0
        self.started_again = 0
        self.fork_exec_again = fork_exec_again
        self.values = {}
        #: The length that each object has reported, by its id.
        self.claimed = {}
        #: The number that each object has reported, by its id.
        self.numbers = {}
        self.has_mutated = False

    def note(self, *event):
        if len(self.events) < 200:
            self.events.append([str(part) if isinstance(part, (int, str)) else type(part).__name__ for part in event])

    def choose(self, *ways):
        """Returns the value of one of these ways, by weight."""
        place = self.random.random() * sum(weight for weight, _ in ways)
        for weight, way in ways:
            place -= weight
            if place < 0:
                return way()
        return ways[0][1]()

    def pick(self, values):
        """Returns one of these values. `random.choice` takes four times as long."""
        return values[int(self.random.random() * len(values))]

    def keep(self, value):
        self.objects.append(value)
        if type(value) is list:
            self.lists.append(value)
        return value

    # Values.

    def integer(self):
        return self.choose((6, lambda: self.pick(INTEGERS)), (2, lambda: self.pick(OPEN + CLOSED)),
                           (1, lambda: self.subclass(int, self.pick(INTEGERS))), (2, lambda: self.misbehaved("__index__")),
                           (1, self.other))

    def string(self):
        return self.choose((8, lambda: self.pick(STRINGS)), (1, lambda: self.subclass(bytes, b"sub")), (1, lambda: self.subclass(str, "sub")),
                           (2, lambda: self.misbehaved("__fspath__")), (1, self.other))

    def bytestring(self):
        return self.choose((8, lambda: self.pick([s for s in STRINGS if isinstance(s, bytes)])), (2, lambda: self.subclass(bytes, b"A=sub")),
                           (1, self.string))

    def other(self):
        return self.choose((4, lambda: self.pick(OTHERS)), (1, lambda: self.misbehaved(self.pick(METHODS))))

    def sequence(self, item, plain=3):
        items = lambda: [item() for _ in range(self.pick([0, 1, 1, 2, 2, 3, 4, 8]))]  # noqa: E731
        return self.choose((plain, lambda: self.keep(items())), (1, lambda: tuple(items())), (1, lambda: iter(items())),
                           (1, lambda: (value for value in items())), (1, lambda: self.subclass(list, items())),
                           (1, lambda: self.subclass(tuple, items())), (2, lambda: self.misbehaved("__getitem__", "__len__", items=items())),
                           (1, lambda: self.misbehaved("__iter__", items=items())), (1, self.other), (1, self.string))

    def flag(self):
        return self.choose((4, lambda: self.pick([True, False, 0, 1, -1, 2 ** 31, 2 ** 70, None, "", "x", [], 0.0, 1.5])),
                           (2, lambda: self.misbehaved("__bool__")), (1, lambda: self.misbehaved("__len__")), (1, self.integer))

    def descriptor_tuple(self):
        numbers = [self.pick([REPORT_WRITER] + OPEN + CLOSED + INTEGERS) for _ in range(self.random.randrange(6))]
        orders = [lambda: tuple(sorted(set(numbers))), lambda: tuple(numbers), lambda: tuple(numbers + [self.integer()]),
                  lambda: self.subclass(tuple, sorted(set(numbers))), lambda: self.keep(list(numbers)),
                  lambda: tuple(self.subclass(int, number) for number in sorted(set(numbers)))]
        return self.choose((6, self.pick(orders)), (1, lambda: self.sequence(self.integer)))

    def group_list(self):
        group = lambda: self.choose((3, lambda: self.pick([0, 5, 7, 65534])), (2, self.integer))  # noqa: E731
        many = lambda: self.keep([0] * self.pick([65535, 65536, 65537]))  # noqa: E731
        return self.choose((20, lambda: self.sequence(group, plain=6)), (4, lambda: self.subclass(list, [group()])), (1, many), (3, lambda: None))

    def identity(self):
        return self.choose((2, lambda: None), (2, lambda: self.pick([0, 65534, 12345, -1, 2 ** 32 - 1])), (3, self.integer))

    def preexec(self):
        return self.choose((2, lambda: None), (1, lambda: int), (1, lambda: self.raising), (1, lambda: self.writing), (1, lambda: self.ending),
                           (1, lambda: self.opening), (1, lambda: self.again), (1, lambda: self.mutate), (1, lambda: self.misbehaved("__call__")), (1, self.other))

    def raising(self):
        raise self.pick(ERRORS_RAISED)

    def writing(self):
        os.write(ERRORS, b"preexec %d\n" % gc.isenabled())

    def ending(self):
        os._exit(9)

    def opening(self):
        os.dup2(NULL_IN, 50)

    def again(self):
        os.write(ERRORS, str(self.fork_exec_again()).encode())

    # Objects.

    def subclass(self, base, value):
        """Returns an instance of a subclass, some methods of which misbehave."""
        relevant = [name for name in METHODS if hasattr(base, name) or name in ("__fspath__", "__index__", "__bool__", "__del__")]
        names = self.random.sample(relevant, self.random.randrange(min(4, len(relevant))))
        return self.instance(base, names, value)

    def misbehaved(self, *names, items=None):
        """Returns an object with these methods, and perhaps some others."""
        names = [name for name in names if name == names[0] or self.random.random() < 0.9]
        names += self.random.sample(METHODS, self.pick([0, 0, 1, 2, 3]))
        base = self.pick(BASES) if self.random.random() < 0.1 else object
        return self.instance(base, names, None, items)

    def instance(self, base, names, value=None, items=None):
        attributes = {name: METHODS_MADE[name] for name in names}
        made = type("Misbehaved" + base.__name__.title(), (base,), attributes)
        instance = made() if value is None else made(value)
        plan = {name: self.steps(name, items) for name in dict.fromkeys(names)}
        made.plan, made.world, made.items = plan, self, items
        return self.keep(instance)

    def steps(self, name, items):
        """Returns the actions and results of a method's calls, in their order. The last one is repeated."""
        return [(self.action(), self.result(name, items)) for _ in range(self.pick([1, 1, 2, 3]))]

    def action(self):
        return self.pick(ACTIONS)

    def result(self, name, items):
        if self.random.random() < 0.15:
            return self.pick(OTHERS + STRINGS + INTEGERS)
        if name in ("__len__", "__length_hint__"):
            return self.pick([len(items)] * 8 + LENGTHS) if items is not None else self.pick(LENGTHS)
        if name == "__fspath__":
            return self.pick(STRINGS) if self.random.random() < 0.9 else self.subclass(*self.pick([(bytes, b"s"), (str, "s")]))
        if name in ("__index__", "__int__"):
            return self.pick(INTEGERS + OPEN)
        if name == "__bool__":
            return self.pick([True, False])
        return NotImplemented

    def mutate(self):
        if self.lists:
            self.has_mutated = True
            victim = self.pick(self.lists)
            change = self.pick(CHANGES)
            self.note("mutate", self.lists.index(victim), CHANGES.index(change))
            change(victim)


CHANGES = [
    lambda victim: victim.clear(), lambda victim: victim.append(b"new"), lambda victim: victim and victim.pop(), lambda victim: victim and victim.pop(0),
    lambda victim: victim.reverse(), lambda victim: victim.__setitem__(slice(None), [b"other"] * len(victim)), lambda victim: victim.extend([b"more"] * 100),
    lambda victim: victim.__setitem__(slice(None), [5] * len(victim)), lambda victim: victim.insert(0, None),
]


def method(name):
    """Returns a method that follows the plan of its object."""
    def called(self, *arguments):
        world, plan = self.world, self.plan
        world.note(name, *[argument for argument in arguments if name != "__call__"])
        world.asked += 1
        if name not in plan or world.asked > 3000:
            # This also ends a sequence that would not end.
            raise IndexError(name)
        steps = plan[name]
        action, result = steps.pop(0) if len(steps) > 1 else steps[0]
        if action == "raise":
            raise world.pick(ERRORS_RAISED)(name)
        if action == "error":
            raise Misbehaved(name)
        if action == "mutate":
            world.mutate()
        if action == "collect" and world.asked < 20:
            gc.collect(0)
        if action == "again" and world.started_again < 2:
            world.started_again += 1
            world.note("again", world.fork_exec_again())
        if name == "__del__":
            return None
        return answer(self, world, name, arguments, result)
    called.__name__ = name
    return called


def answer(self, world, name, arguments, result):
    items = type(self).items or ()
    if name == "__getitem__" and result is NotImplemented:
        index = arguments[0]
        return items[index % len(items)] if items and isinstance(index, int) else Temporary(b"fresh", world)
    if name == "__iter__" and result is NotImplemented:
        return iter(items)
    if name in ("__index__", "__int__"):
        world.numbers[id(self)] = result
    if name == "__len__":
        world.claimed.setdefault(id(self), []).append(result)
    return result


class Temporary(bytes):
    """Bytes with a logged finalizer, which shows when each module drops them."""

    def __new__(cls, value, world):
        made = super().__new__(cls, value)
        made.world = world
        return made

    def __del__(self):
        self.world.note("finalized")


METHODS = ["__len__", "__getitem__", "__iter__", "__fspath__", "__index__", "__bool__", "__int__", "__call__", "__length_hint__"]
METHODS_MADE = {name: method(name) for name in METHODS + ["__del__"]}


def generators(world):
    descriptor = lambda: world.choose((3, lambda: world.pick(OPEN + CLOSED)), (4, world.integer))  # noqa: E731
    wrong = {name: descriptor for name in NAMES}
    wrong.update({
        "args": lambda: world.sequence(world.string), "executable_list": lambda: world.sequence(world.bytestring), "close_fds": world.flag,
        "fds_to_keep": world.descriptor_tuple, "cwd": world.string, "env": lambda: world.sequence(world.bytestring), "restore_signals": world.flag,
        "call_setsid": world.flag, "pgid_to_set": world.integer, "gid": world.identity, "extra_groups": world.group_list, "uid": world.identity,
        "child_umask": world.integer, "preexec_fn": world.preexec, "allow_vfork": world.flag,
    })
    return wrong


#: Valid values of options. A value that is listed twice is twice as likely.
OPTIONS = {"close_fds": [True, True, False], "cwd": [None, None, "/", b"/usr", "/nowhere"], "env": [None, [], [b"A=1", b"PATH=/bin"], (b"A=2",)],
           "restore_signals": [True, False], "call_setsid": [False, False, True], "pgid_to_set": [-1, -1, -1, 0, 2 ** 22 + 5],
           "child_umask": [-1, -1, 0, 0o27], "allow_vfork": [True, True, False], "uid": [None] * 7 + [65534], "gid": [None] * 7 + [65534],
           "extra_groups": [None] * 5 + [[], [5, 7]], "p2cwrite": [-1, -1, READER], "c2pread": [-1, -1, HIGH_READER]}


def valid(world):
    """Returns arguments that start a program, or fail in the child."""
    pick = world.pick
    programs, arguments = pick(PROGRAMS)
    values = dict(DEFAULTS, executable_list=world.keep(list(programs)), args=world.keep(list(arguments)) if type(arguments) is list else arguments)
    values.update(errpipe_read=REPORT_READER, errpipe_write=REPORT_WRITER, c2pwrite=pick([OUTPUT, OUTPUT, WRITER, HIGH_WRITER]),
                  errwrite=pick([-1, ERRORS, ERRORS, OUTPUT]), p2cread=pick([-1, NULL_IN, HIGH_NULL]))
    kept = {REPORT_WRITER} | {fd for fd in (NULL_OUT, WRITER, HIGH_WRITER, HIGH_NULL) if world.random.random() < 0.3}
    values["fds_to_keep"] = tuple(sorted(kept)) if world.random.random() < 0.9 else ()
    for name, choices in OPTIONS.items():
        values[name] = pick(choices)
    return values


def arguments_of(number, fork_exec_again, plain=()):
    """Returns the arguments of a call, and their world. The arguments in `plain` have their defaults."""
    world = World(number, fork_exec_again)
    values = valid(world)
    wrong = generators(world)
    if world.random.random() < 0.85:
        values.update(executable_list=world.keep([b"/nowhere"]), args=world.keep([b"x"]))
        # Most calls fail at the argument that is converted last. They need no child, and all others are converted before.
        if world.random.random() < 0.9:
            values.update({"uid": "no id"} if "uid" in NAMES else {"cwd": "a\0b"})
    for name in world.random.sample(NAMES, world.pick([0, 1, 1, 1, 1, 2, 2, 3, 5, len(NAMES)])):
        values[name] = wrong[name]()
    if plain:
        defaults = dict(DEFAULTS, errpipe_read=REPORT_READER, errpipe_write=REPORT_WRITER, fds_to_keep=(REPORT_WRITER,))
        values.update({name: defaults[name] for name in plain})
    given = [values[name] for name in NAMES]
    if world.random.random() < 0.01:
        given = given[:world.random.randrange(len(given))] if world.random.random() < 0.5 else given + [None]
    world.values = dict(zip(NAMES, given))
    return given, world


def described(value):
    """Formats a value for a report."""
    text = repr(value) if type(value).__module__ == "builtins" else "<{}>".format(type(value).__name__)
    plan = getattr(type(value), "plan", None)
    if plan is not None:
        steps = {name: [[short(part) for part in step] for step in steps] for name, steps in plan.items()}
        base = type(value).__mro__[1]
        return "<{} {} {} items={}>".format(type(value).__name__, short(base.__repr__(value)), steps, short(type(value).items))
    if type(value) in (list, tuple):
        text = "{}[{}]".format(type(value).__name__, ", ".join(map(described, value[:20])))
    return short(text)


def short(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) < 200 else text[:200] + "..."


assert VERSION >= (3, 8)
