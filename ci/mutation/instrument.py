"""Puts all mutants of a crate into one build. A switch turns on one of them at run time.

A function `fn f() { BODY }` becomes

    fn f() { reached(3); if is_on(7) { return { BODY WITH MUTANT 7 }; } if is_on(8) { … } BODY }

so that the crate is built once, and not once for each mutant. The compiler finds the mutants that do not compile. A mutant outside of
the bodies of functions, such as in a constant, cannot be switched and needs a build of its own. So does one in a
function that returns an `impl Trait`.
"""

import json
import re
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

SWITCH = Path(__file__).with_name("switch.rs")
# Tokens that may contain a brace of no meaning, and the braces.
TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|b?c?r(\#*)".*?"\1|[bc]?"(?:\\.|[^"\\])*"|b?'(?:\\(?:x..|u\{[^}]*\}|.)|[^'\\\n])'|'[A-Za-z_]\w*|[{}]|.""",
    re.DOTALL,
)
Span = tuple[int, int]


@dataclass
class Mutant:
    """A mutant as cargo-mutants lists it. `place` and `function` are offsets in the file."""

    number: int
    name: str
    file: str
    place: Span
    replacement: str
    function: Span | None
    # True if its function returns an `impl Trait`. All bodies must have one type then, and each closure is another one.
    is_opaque: bool
    # The index of its function among those that tests can reach.
    reached: int | None = None
    # True if it has a switch.
    is_switched: bool = False
    is_unviable: bool = False


def mutants_of(listing: list[dict], tree: Path) -> list[Mutant]:
    """From the output of `cargo mutants --list --json`."""
    starts = {}
    for file in {entry["file"] for entry in listing}:
        lines = (tree / file).read_text().splitlines(keepends=True)
        starts[file] = [0, *accumulate(map(len, lines))]

    def span(file: str, of: dict) -> Span:
        return tuple(starts[file][of[end]["line"] - 1] + of[end]["column"] - 1 for end in ("start", "end"))

    mutants = []
    for number, entry in enumerate(listing, 1):
        file, function = entry["file"], entry.get("function")
        place, around = span(file, entry["span"]), function and span(file, function["span"])
        is_opaque = bool(function) and "impl " in function["return_type"]
        mutants.append(Mutant(number, entry["name"], file, place, entry["replacement"], around, is_opaque))
    return mutants


def body(function: str) -> Span | None:
    """What is inside of the braces at the end of a function."""
    opened, inside = [], None
    for token in TOKEN.finditer(function):
        if token[0] == "{":
            opened.append(token.end())
        elif token[0] == "}":
            inside = opened.pop(), token.start()
    return inside if inside and function.endswith("}") else None


class Crate:
    """A crate in a copy of the work tree. `root` is the file of its root module, `build` what cargo builds for the tests."""

    def __init__(self, tree: Path, root: str, build: list[str], mutants: list[Mutant], environment: dict[str, str]):
        self.tree, self.root, self.build, self.mutants = tree, root, build, mutants
        # As cargo-mutants does: a mutant may have unused parts.
        self.environment = environment | {"CARGO_ENCODED_RUSTFLAGS": "--cap-lints\x1fallow"}
        self.functions: dict[tuple[str, Span], int] = {}
        # The first and last line of each mutant, by its file.
        self.lines: dict[str, list[tuple[int, int, int]]] = {}
        self.texts = {file: (tree / file).read_text() for file in {root, *(mutant.file for mutant in mutants)}}
        # Functions that must be `const`, by file and name: no switch can be read in them.
        self.constant: set[tuple[str, str]] = set()
        (tree / root).with_name("mutation_switch.rs").write_text(SWITCH.read_text())

    def write(self) -> None:
        """Writes each file with its switches, and notes the lines of each mutant."""
        for file, text in self.texts.items():
            mutants = [mutant for mutant in self.mutants if mutant.file == file]
            for mutant in mutants:
                mutant.is_switched = False
            functions = {mutant.function for mutant in mutants if mutant.function}
            new = self.render(file, text, (0, len(text)), functions, mutants)
            self.lines[file] = list(marked_lines(new))
            self.write_file(file, new)

    def write_file(self, file: str, text: str) -> None:
        (self.tree / file).write_text(text + ("\nmod mutation_switch;\n" if file == self.root else ""))

    def render(self, file: str, text: str, span: Span, functions: set[Span], mutants: list[Mutant]) -> str:
        """A part of a file, in which the outermost functions get switches."""
        parts, at = [], span[0]
        for function in sorted(functions, key=lambda function: (function[0], -function[1])):
            if function[0] >= at:
                inner = {it for it in functions if function[0] <= it[0] and it[1] <= function[1] and it != function}
                parts += [text[at : function[0]], self.switched(file, text, function, inner, mutants)]
                at = function[1]
        return "".join(parts) + text[at : span[1]]

    def switched(self, file: str, text: str, function: Span, inner: set[Span], mutants: list[Mutant]) -> str:
        """A function with the switches of its mutants."""
        start, end = function
        inside = body(text[start:end])
        if inside is None:
            return text[start:end]
        low, high = start + inside[0], start + inside[1]
        head = text[start:low]
        constant = re.search(r"\bconst(?=\s+(unsafe\s+)?fn\s+(\w+))", head)
        if constant and (file, constant[2]) in self.constant:
            return self.render(file, text, function, inner, mutants)
        if constant:
            head = head[: constant.start()] + head[constant.end() :]
        index = self.functions.setdefault((file, function), len(self.functions))
        arms = [f" crate::mutation_switch::reached({index});\n"]
        for mutant in mutants:
            if mutant.function != function or mutant.is_unviable:
                continue
            first, last = mutant.place
            if low <= first and last <= high:
                mutant.reached = index
                if mutant.is_opaque:
                    continue
                mutant.is_switched = True
                changed = f"{text[low:first]}{mutant.replacement} /* mutant */{text[last:high]}"
                condition = f"crate::mutation_switch::is_on({mutant.number})"
                arms.append(f"/*<{mutant.number}*/ if {condition} {{ return {{ {changed} }}; }} /*{mutant.number}>*/\n")
        return head + "".join(arms) + self.render(file, text, (low, high), inner, mutants) + text[high:end]

    def settle(self) -> None:
        """Takes out what does not compile, until the rest does."""
        by_number = {mutant.number: mutant for mutant in self.mutants}
        check = check_of(self.build)
        while True:
            self.write()
            checked = self.cargo(check)
            if checked.returncode == 0:
                return
            messages = [line["message"] for line in lines_of(checked.stdout, "compiler-message")]
            errors = [message for message in messages if message["level"] == "error" and message["spans"]]
            bad = {number for error in errors for number in self.blamed(error)}
            if not bad and not self.keep_const(errors):
                sys.exit("\n".join(error["rendered"] for error in errors) or checked.stderr)
            for number in bad:
                by_number[number].is_unviable = True

    def keep_const(self, errors: list[dict]) -> bool:
        """Restores the `const` of the functions that constants call."""
        before = len(self.constant)
        for error in errors:
            if is_about_const(error):
                names = set(re.findall(r"(\w+)(?:::<[^`]*>)?`", error["message"]))
                found = re.compile(r"\bconst\s+(?:unsafe\s+)?fn\s+(\w+)")
                self.constant |= {(f, name) for f, text in self.texts.items() for name in found.findall(text) if name in names}
        return len(self.constant) > before

    def blamed(self, error: dict) -> list[int]:
        """The mutant in which the compiler found an error."""
        if is_about_const(error):
            return []
        for span in sorted(error["spans"], key=lambda span: not span["is_primary"]):
            while span:
                number = self.mutant_at(span["file_name"], span["line_start"])
                if number:
                    return [number]
                span = (span.get("expansion") or {}).get("span")
        return []

    def mutant_at(self, file: str, line: int) -> int | None:
        inside = [number for first, last, number in self.lines.get(file, []) if first <= line <= last]
        return inside[-1] if inside else None

    def write_alone(self, mutant: Mutant) -> None:
        """Writes the tree with a mutant that has no switch."""
        for file, text in self.texts.items():
            self.write_file(file, text)
        text, (first, last) = self.texts[mutant.file], mutant.place
        self.write_file(mutant.file, text[:first] + mutant.replacement + text[last:])

    def artifacts(self) -> list[dict] | None:
        """Builds the tests, and returns what cargo says of each artifact, or None if the tree does not compile."""
        built = self.cargo(self.build)
        return lines_of(built.stdout, "compiler-artifact") if built.returncode == 0 else None

    def cargo(self, words: list[str]) -> subprocess.CompletedProcess:
        command = ["cargo", *words, "--message-format=json"]
        return subprocess.run(command, cwd=self.tree, env=self.environment, capture_output=True, text=True)


def marked_lines(text: str) -> Iterator[tuple[int, int, int]]:
    starts = [0, *accumulate(map(len, text.splitlines(keepends=True)))]
    for begin in re.finditer(r"/\*<(\d+)\*/", text):
        end = text.index(f"/*{begin[1]}>*/", begin.end())
        yield bisect_right(starts, begin.start()), bisect_right(starts, end), int(begin[1])


def check_of(build: list[str]) -> list[str]:
    """The words for cargo that check what these words build."""
    return ["check", *(word for word in build if word not in ("build", "test", "--no-run"))]


def is_about_const(error: dict) -> bool:
    return (error.get("code") or {}).get("code") == "E0015"


def lines_of(output: str, reason: str) -> list[dict]:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [line for line in lines if line["reason"] == reason]
