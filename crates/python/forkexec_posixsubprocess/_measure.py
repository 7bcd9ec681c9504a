"""Measures starts with both modules, in turn in this process."""

import time

from . import _NAME, install, status, uninstall
from ._modules import stock_module

PROGRAM = ["/bin/true"]


def _microseconds(start):
    began = time.perf_counter()
    start()
    return (time.perf_counter() - began) * 1e6


#: A start leaves work for the kernel, such as freeing a copied descriptor table. The pause keeps it out of the next measurement.
BATCH, PAUSE = 10, 0.02


def measure(start, rounds=100, fast=None):
    """Returns lower quartiles in microseconds: of the stock module, of this one, and of ``fast`` with the stock module, or None.

    The modules take turns of some starts each. Quartiles, because other processes can only add time."""
    was_installed = status().installed
    stock_module(_NAME)
    turns = [(uninstall, start), (install, start)] + ([(uninstall, fast)] if fast else [])
    times = [[] for _ in turns]
    try:
        for round_ in range(max(1, rounds // BATCH)):
            order = list(zip(turns, times))
            for (select, start), measured in order if round_ % 2 else reversed(order):
                select()
                time.sleep(PAUSE)
                start()
                for _ in range(min(rounds, BATCH)):
                    measured.append(_microseconds(start))
    finally:
        (install if was_installed else uninstall)()
    quartiles = [sorted(measured)[len(measured) // 4] for measured in times]
    return quartiles[0], quartiles[1], quartiles[2] if fast else None


def popen(**options):
    """Returns a function that starts a program and waits for it. It never bypasses the module."""
    import subprocess

    def start():
        posix_spawn, subprocess._USE_POSIX_SPAWN = subprocess._USE_POSIX_SPAWN, False
        try:
            with subprocess.Popen(PROGRAM, **options) as process:
                process.communicate()
        finally:
            subprocess._USE_POSIX_SPAWN = posix_spawn

    return start
