#!/usr/bin/env python3
"""Runs a command under a seccomp filter that answers a system call with an errno, as an old kernel or a container does.

usage: ci/refusing.py CALL=ERRNO[,CALL=ERRNO...] COMMAND [ARGUMENT...]

The script supports the calls that the suites need refused: close_range, pidfd_open, clone3. `ci/refusing.py close_range=ENOSYS sh`
"""

import ctypes
import errno
import os
import struct
import sys

CALLS = {"close_range": 436, "pidfd_open": 434, "clone3": 435}  # the same on every processor (since Linux 5.1)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RETURN_ERRNO, RETURN_ALLOW = 0x00050000, 0x7FFF0000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


def program(refused):
    """The filter: one comparison and one answer for each call."""
    instructions = [struct.pack("<HBBI", LOAD, 0, 0, 0)]
    for number, answer in refused:
        instructions.append(struct.pack("<HBBI", JUMP_IF_EQUAL, 0, 1, number))
        instructions.append(struct.pack("<HBBI", RETURN, 0, 0, RETURN_ERRNO | answer))
    instructions.append(struct.pack("<HBBI", RETURN, 0, 0, RETURN_ALLOW))
    return instructions


def main(arguments):
    """Installs the filter and becomes the command."""
    if arguments == ["--help"] or len(arguments) < 2:
        print(__doc__)
        sys.exit(0 if arguments == ["--help"] else 2)
    pairs = [pair.split("=") for pair in arguments[0].split(",")]
    instructions = program([(CALLS[call], getattr(errno, name)) for call, name in pairs])
    code = ctypes.create_string_buffer(b"".join(instructions))
    header = struct.pack("HxxxxxxP", len(instructions), ctypes.addressof(code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    # The suites look at all descriptors of their process, and this filter keeps them from closing what was left open.
    os.closerange(3, 1 << 16)
    # The superuser may do without, and the suites start programs that gain privileges.
    if os.geteuid() != 0 and prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit("no_new_privs is refused")
    if prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header), 0, 0) != 0:
        sys.exit(f"the filter is refused: {os.strerror(ctypes.get_errno())}")
    os.execvp(arguments[1], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
