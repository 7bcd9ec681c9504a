#!/usr/bin/env python3
"""Checks that the libraries of a system define the undefined symbols of an executable.

usage: ci/undefined-symbols.py EXECUTABLE LIBRARY...

A library is a shared one (ELF), by its exported symbols, or the text file that describes one on Apple's systems (.tbd). Prints the
number of symbols, and each that no library defines.
"""

import pathlib
import re
import struct
import sys

ELF, MACH_O = b"\x7fELF\x02\x01", b"\xcf\xfa\xed\xfe"
SHT_DYNSYM, STB_WEAK = 11, 2
LC_SYMTAB, N_STAB, N_TYPE, N_EXT, N_WEAK_REF = 2, 0xE0, 0x0E, 0x01, 0x0040


def string(table, offset):
    """The string at an offset of a table."""
    return table[offset : table.index(b"\0", offset)].decode()


def elf_symbols(data):
    """The dynamic symbols of a little-endian 64-bit ELF file: the name, if it is defined, and if it must be."""
    (offset,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + index * size) for index in range(count)]
    for section in sections:
        if section[1] != SHT_DYNSYM:
            continue
        strings = sections[section[6]]
        table = data[strings[4] : strings[4] + strings[5]]
        for place in range(section[4] + 24, section[4] + section[5], 24):
            name, info, _, index, _, _ = struct.unpack_from("<IBBHQQ", data, place)
            yield string(table, name), index != 0, info >> 4 != STB_WEAK


def mach_o_symbols(data):
    """The external symbols of a 64-bit Mach-O file, in the same way."""
    (commands,) = struct.unpack_from("<I", data, 16)
    place = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", data, place)
        if command == LC_SYMTAB:
            start, count, strings, length = struct.unpack_from("<IIII", data, place + 8)
            table = data[strings : strings + length]
            for index in range(count):
                name, kind, _, about, _ = struct.unpack_from("<IBBHQ", data, start + index * 16)
                if kind & N_EXT and not kind & N_STAB:
                    yield string(table, name), kind & N_TYPE != 0, not about & N_WEAK_REF
        place += size


def symbols(path):
    """The symbols of a file of either kind."""
    data = pathlib.Path(path).read_bytes()
    if data.startswith(ELF):
        return elf_symbols(data)
    if data.startswith(MACH_O):
        return mach_o_symbols(data)
    sys.exit(f"{path}: neither a 64-bit ELF nor a 64-bit Mach-O file")


def exported(path):
    """The symbols that a library defines."""
    if pathlib.Path(path).suffix == ".tbd":
        lists = re.findall(r"symbols:\s*\[(.*?)\]", pathlib.Path(path).read_text(), re.DOTALL)
        return {name.strip(" '\n") for names in lists for name in names.split(",")}
    return {name for name, defined, _ in symbols(path) if defined}


def main(arguments):
    """Compares the symbols."""
    if arguments == ["--help"] or len(arguments) < 2:
        print(__doc__)
        sys.exit(0 if arguments == ["--help"] else 2)
    executable, *libraries = arguments
    offered = set().union(*map(exported, libraries))
    needed = [(name, must) for name, defined, must in symbols(executable) if not defined]
    missing = [name for name, must in needed if must and name not in offered]
    weak = [name for name, must in needed if not must and name not in offered]
    if missing or not needed:
        sys.exit("\n".join(f"{executable}: {name} is in none of the libraries" for name in sorted(missing) or ["nothing"]))
    absent = f"; absent, and only asked for at run time: {' '.join(sorted(weak))}" if weak else ""
    print(f"{len(needed) - len(weak)} of {len(needed)} undefined symbols are in the system's libraries{absent}")


if __name__ == "__main__":
    main(sys.argv[1:])
