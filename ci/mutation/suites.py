"""Runs the tests of executables that have a switch: each test alone without a mutant, to see which functions it reaches, and then for
each mutant the tests that reach its function.

A suite is a program with the options and the output of Rust's test harness. Its tests run in a pid namespace, which ends all processes
that a mutant leaves, and in a mount namespace, in which a changed copy takes the place of each executable. They also have a control group
and a cgroup namespace: the pids are the same for each worker, and so would be the names of the groups that the tests make.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mutation.instrument import Mutant

# The words before the switch, as `switch.rs` has them.
WORDS = b"mutant number is"
# As many bytes as `switch.rs` maps.
REACHABLE = 1 << 14
# The limits of a run in seconds: processor time and elapsed time. The time of the tests without a mutant is added as many times.
PROCESSOR, CLOCK, TIMES = 60, 10, 4
# Joins a control group, if there are any, and begins the namespaces.
NAMESPACES = r"""
if [ -n "$0" ]; then echo 0 > "$0/cgroup.procs"; fi
exec unshare --mount --pid --cgroup --fork --kill-child --mount-proc bash -c "$@"
"""
# Mounts the own control group and then pairs of files, over each other, and runs a suite until the first test fails. Its processes have
# fewer numbers than one needs that forks without an end. The kernel mounts no hierarchy over itself, so the old mount goes first.
RUNNER = r"""
if [ -n "$0" ]; then umount --lazy "$0" && mount -t cgroup2 none "$0" || exit; fi
while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done
shift
echo 4096 2> /dev/null > /proc/sys/kernel/pid_max
ulimit -S -t "$FORKEXEC_MUTANT_SECONDS"
while IFS= read -r line; do
    printf "%s\n" "$line"
    case $line in
        *" ... FAILED") exit 101 ;;
        "ended with "[0-9]*) exit "${line##* }" ;;
    esac
done < <("$@"; echo "ended with $?")
"""


@dataclass
class Test:
    seconds: float
    # The functions that it reaches.
    reached: frozenset[int]


@dataclass
class Suite:
    program: list[str]
    directory: Path
    skipped: list[str] = field(default_factory=list)
    # Variables, besides those of this process.
    environment: dict[str, str] = field(default_factory=dict)
    tests: dict[str, Test] = field(default_factory=dict)

    def seconds(self, names: list[str]) -> float:
        return sum(self.tests[name].seconds for name in names)

    def names(self) -> list[str]:
        """All tests that are not ignored and not skipped."""
        listed = [self.listed(), self.listed("--ignored")]
        return [name for name in listed[0] if name not in listed[1] and not any(part in name for part in self.skipped)]

    def listed(self, *options: str) -> list[str]:
        command = [*self.program, "--list", "--format=terse", *options]
        environment = dict(os.environ) | self.environment
        said = subprocess.run(command, cwd=self.directory, env=environment, check=True, capture_output=True, text=True).stdout
        return [line.removesuffix(": test") for line in said.splitlines() if line.endswith(": test")]


@dataclass
class Ending:
    """How tests ended: "passed", "failed", "timeout", or "died" without a failing test."""

    end: str
    test: str | None = None


class Worker:
    """Runs tests with a mutant, in copies of the files that have a switch."""

    def __init__(self, directory: Path, files: list[Path], reached: Path, environment: dict[str, str]):
        self.environment = environment
        self.hierarchy = cgroup2()
        self.name = f"forkexec-mutants-{os.getpid()}-{directory.name}"
        self.groups: list[Path] = []
        self.runs = 0
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.reached = directory / "reached"
        self.mounts = [str(self.reached), str(reached)]
        self.copies = []
        for number, file in enumerate(files):
            places = [match.end() for match in re.finditer(re.escape(WORDS), file.read_bytes())]
            if places:
                copy = directory / str(number)
                self.copies.append((copy, file, places))
                self.mounts += [str(copy), str(file)]

    def choose(self, mutant: int) -> None:
        """Turns a mutant on. The last run may still use the old copies."""
        for copy, file, places in self.copies:
            copy.unlink(missing_ok=True)
            shutil.copy(file, copy)
            with copy.open("r+b") as opened:
                for place in places:
                    opened.seek(place)
                    opened.write(mutant.to_bytes(8, sys.byteorder))

    def run(self, suite: Suite, names: list[str], seconds: float) -> Ending:
        self.reached.write_bytes(bytes(REACHABLE))
        shell = ["bash", "-c", NAMESPACES, str(self.new_group() or ""), RUNNER, str(self.hierarchy or "")]
        command = [*shell, *self.mounts, "--", *suite.program, "--exact", *names]
        own = {"CARGO_MANIFEST_DIR": str(suite.directory), "FORKEXEC_MUTANT_SECONDS": str(PROCESSOR + round(TIMES * seconds))}
        environment = self.environment | suite.environment | own
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            done = subprocess.run(command, cwd=suite.directory, env=environment, timeout=CLOCK + TIMES * seconds, **quiet)
        except subprocess.TimeoutExpired:
            return Ending("timeout")
        said = done.stdout.decode(errors="replace")
        failed = re.search(r"^test (.*?)(?: - should panic)? \.\.\. FAILED$", said, re.MULTILINE)
        if failed:
            return Ending("failed", failed[1])
        return Ending("passed" if done.returncode == 0 and "test result: ok" in said else "died")

    def new_group(self) -> Path | None:
        """Makes a group, and removes earlier ones with all below them. Killed processes may still be in the last one."""
        for group in self.groups:
            with suppress(OSError):
                for path, _, _ in os.walk(group, topdown=False):
                    os.rmdir(path)
        self.groups = [group for group in self.groups if group.exists()]
        if self.hierarchy is None:
            return None
        self.runs += 1
        group = self.hierarchy / f"{self.name}-{self.runs}"
        group.mkdir()
        self.groups.append(group)
        return group

    def reaches(self) -> frozenset[int]:
        return frozenset(index for index, byte in enumerate(self.reached.read_bytes()) if byte)

    def attempt(self, mutant: Mutant, parts: list[tuple[Suite, list[str]]]) -> Ending:
        """Runs the parts until a test fails. A test that then passes alone had failed by chance."""
        self.choose(mutant.number)
        for suite, names in parts:
            while names:
                ending = self.run(suite, names, suite.seconds(names))
                by_chance = ending.end == "failed" and self.run(suite, [ending.test], suite.seconds([ending.test])).end == "passed"
                if ending.end != "passed" and not by_chance:
                    return ending
                names = [name for name in names if name != ending.test] if by_chance else []
        return Ending("passed")


def cgroup2() -> Path | None:
    """Where the hierarchy of version 2 is mounted."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)


def parts(suites: list[Suite], functions: set[int] | None) -> list[tuple[Suite, list[str]]]:
    """The tests that reach one of the functions, in growing parts. Quick ones come first, and of the cases of a test one before the
    others."""
    found = []
    for suite in suites:
        names = [name for name, test in suite.tests.items() if functions is None or test.reached & functions]
        found += [(number, suite.seconds(part), suite, part) for number, part in growing(in_order(suite, names))]
    found.sort(key=lambda part: part[:2])
    return [(suite, names) for _, _, suite, names in found]


def in_order(suite: Suite, names: list[str]) -> list[str]:
    cases: dict[str, int] = {}
    keys = {}
    for name in sorted(names, key=lambda name: suite.tests[name].seconds):
        test = name.split("::case_")[0]
        cases[test] = cases.get(test, 0) + 1
        keys[name] = cases[test], suite.tests[name].seconds
    return sorted(names, key=keys.__getitem__)


def growing(names: list[str]) -> Iterator[tuple[int, list[str]]]:
    length, number = 12, 0
    while names:
        yield number, names[:length]
        names, length, number = names[length:], 4 * length, number + 1
