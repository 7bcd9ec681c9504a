#!/usr/bin/env python3
"""The targets of `ci/matrix.toml`: reads them, checks them, and answers questions about them.

usage: ci/matrix.py list [--everyday] [--taken HOW,...] [TRIPLE...]
       ci/matrix.py field TRIPLE NAME
       ci/matrix.py hosted KIND
       ci/matrix.py check

`list` prints the triples, `field` prints one field of a target (nothing if it has none), `hosted` the rows of a job of the
hosted workflow as JSON, and `check` prints the errors.

The fields of a target:

triple    as rustc names it
system    the usual name: a row of the table in the README
backend   the crate under platforms/ that serves it
taken     the level of proof on this machine: `run` (the suites run natively), `emulated` (they run under qemu-user), `linked`
          (executables are linked, and their symbols are in the C library), `checked` (clippy)
portable  optional: the release on whose real kernel the portable suite passed, started by hand
linker    the linker: a command, or `zig:TARGET`
qemu      the processor, as qemu names it
when      `everyday`: in every run of .ci/run; `nightly`: in .ci/nightly
hosted    the job on a hosted runner: `native` (runner, packages), `cross` (the tool of that name), `ndk` (built with that of
          Android), `vm` (action; prepare installs Rust there, else executables run), `none`
"""

import json
import pathlib
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TAKEN = ("run", "emulated", "linked", "checked")
FIELDS = {"triple", "system", "backend", "taken", "portable", "linker", "qemu", "when", "hosted"}
HOSTED = {
    "native": ({"runner"}, {"packages"}),
    "cross": (set(), set()),
    "ndk": (set(), set()),
    "none": (set(), set()),
    "vm": ({"action"}, {"prepare"}),
}


def targets():
    """The targets, in the order of the file."""
    return tomllib.loads((ROOT / "ci/matrix.toml").read_text())["target"]


def backends():
    """The crates under platforms/."""
    return sorted(path.parent.name for path in (ROOT / "platforms").glob("*/Cargo.toml"))


def wrong_with(target):
    """What is wrong with one target."""
    name = target.get("triple", "a target without a triple")
    for field in sorted(FIELDS - {"portable", "linker", "qemu"} - target.keys()):
        yield f"{name}: no {field}"
    for field in sorted(target.keys() - FIELDS):
        yield f"{name}: {field} is no field"
    taken, hosted = target.get("taken"), dict(target.get("hosted", {}))
    if taken not in TAKEN:
        yield f"{name}: taken is none of {', '.join(TAKEN)}"
    if taken == "emulated" and "qemu" not in target:
        yield f"{name}: emulated without a qemu"
    if taken in ("emulated", "linked") and "linker" not in target:
        yield f"{name}: {taken} without a linker"
    if target.get("when") not in ("everyday", "nightly"):
        yield f"{name}: when is neither everyday nor nightly"
    kind = hosted.pop("kind", None)
    if kind not in HOSTED:
        yield f"{name}: hosted.kind is none of {', '.join(HOSTED)}"
        return
    needed, allowed = HOSTED[kind]
    if not needed <= hosted.keys() <= needed | allowed:
        yield f"{name}: hosted {kind} has {sorted(hosted)}, and needs {sorted(needed)}"


def wrong():
    """What is wrong with the matrix."""
    all_targets = targets()
    for target in all_targets:
        yield from wrong_with(target)
    triples = [target.get("triple") for target in all_targets]
    for triple in sorted({it for it in triples if triples.count(it) > 1}):
        yield f"{triple}: named twice"
    served = {target.get("backend") for target in all_targets}
    for backend in sorted(served - set(backends())):
        yield f"{backend}: no such crate under platforms/"
    # The floor serves what has no backend of its own, so no target of its own.
    for backend in sorted(set(backends()) - served - {"posix"}):
        yield f"platforms/{backend}: no target"


def row(target):
    """The variables of one hosted job."""
    triple, hosted = target["triple"], target["hosted"]
    variables = {"triple": triple, "packages": "", "prepare": ""} | hosted
    if "prepare" in hosted:
        variables["run"] = "cargo test --locked --package forkexec-tests --test portable"
    elif hosted["kind"] == "vm":
        variables["run"] = f"chmod +x executables/{triple}/portable && executables/{triple}/portable"
    return variables


def chosen(arguments):
    """The triples that the options of `list` choose."""
    everyday = "--everyday" in arguments
    taken = TAKEN
    if "--taken" in arguments:
        place = arguments.index("--taken")
        taken = arguments[place + 1].split(",")
        arguments = arguments[:place] + arguments[place + 2 :]
    names = [it for it in arguments if it != "--everyday"]
    known = [target["triple"] for target in targets()]
    for name in names:
        if name not in known:
            sys.exit(f"{name} is not in ci/matrix.toml; there are: {' '.join(known)}")
    for target in targets():
        if names and target["triple"] not in names:
            continue
        if target["taken"] in taken and (names or not everyday or target["when"] == "everyday"):
            yield target["triple"]


def main(arguments):
    """Answers one question."""
    match arguments:
        case ["list", *options]:
            print(*chosen(options), sep="\n")
        case ["field", triple, name]:
            found = [target for target in targets() if target["triple"] == triple]
            if not found:
                sys.exit(f"{triple} is not in ci/matrix.toml")
            print(found[0].get(name, ""))
        case ["hosted", kind] if kind in HOSTED:
            print(json.dumps([row(target) for target in targets() if target["hosted"]["kind"] == kind]))
        case ["check"]:
            complaints = list(wrong())
            if complaints:
                sys.exit("\n".join(complaints))
            print(f"matrix: {len(targets())} targets, {len(backends())} backends, all in order")
        case _:
            print(__doc__)
            sys.exit(0 if arguments == ["--help"] else 2)


if __name__ == "__main__":
    main(sys.argv[1:])
