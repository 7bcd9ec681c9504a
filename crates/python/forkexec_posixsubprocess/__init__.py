"""CPython's ``_posixsubprocess``, rebuilt in Rust: the same behaviour, faster starts, fewer leaks.

``install()`` puts it in the place of the interpreter's own module, ``uninstall()`` takes it out again, and ``status()``
says which one is in use. Nothing is done by the import alone.
"""

import os
import sys

from ._modules import bound, load, load_second, rebind, stock

__all__ = ["Status", "install", "status", "uninstall"]

_NAME = "_posixsubprocess"
_OLDEST, _NEWEST = (3, 8), (3, 15)


class _Loaded:
    #: This package's module, once it was loaded.
    module = None


class Status:
    """Which module is in use."""

    def __init__(self, module, subprocess_module):
        #: The path of the module that ``import _posixsubprocess`` gives, ``None`` if it is built in.
        self.module = getattr(module, "__file__", None)
        #: Whether that module is this package's.
        self.installed = _is_ours(module)
        #: Whether ``subprocess`` uses it, ``None`` if that was not imported.
        self.in_use = None if subprocess_module is None else _is_ours(bound(subprocess_module))
        #: Whether ``subprocess`` may go past it, by ``posix_spawn``.
        self.may_posix_spawn = getattr(subprocess_module, "_USE_POSIX_SPAWN", None)
        #: The descriptors that this process keeps open for starting children in constant time.
        self.low_numbers = load_second("_low_numbers", _Loaded.module).descriptors() if _Loaded.module else []

    def __repr__(self):
        fields = ", ".join("{}={!r}".format(name, value) for name, value in sorted(vars(self).items()))
        return "Status({})".format(fields)


def _is_ours(module):
    file = getattr(module, "__file__", None)
    return file is not None and os.path.dirname(os.path.abspath(file)) == os.path.dirname(os.path.abspath(__file__))


def install(low_numbers=None):
    """Puts this package's module in the place of the interpreter's, for this process.

    Processes that ``subprocess`` and ``multiprocessing`` start from now on are started by it. Calling it again changes
    nothing. Raises ``RuntimeError`` on an interpreter that it was not made for.

    On Linux a start costs the same however many descriptors are open, if what the child gets has a number below 64, or can be
    lent one until the child runs. ``low_numbers`` reserves so many (at most 16; fewer, if fewer are free): 12 for
    capturing the output of four children at once with their input on a pipe, too. A process that opens many descriptors
    does that early. Each costs one open descriptor, close-on-exec, and all of them one more. Without it four are reserved when
    they are needed first, if they are still free; 0 closes them, and none are reserved from then on.
    Raises ``ValueError`` for what is no such number, and ``OSError`` if the process can open no more descriptors.
    """
    version = sys.version_info[:2]
    if sys.implementation.name != "cpython" or not _OLDEST <= version <= _NEWEST:
        raise RuntimeError("cannot install forkexec_posixsubprocess: it supports CPython {}.{} to {}.{}".format(*_OLDEST + _NEWEST))
    if _is_ours(sys.modules.get(_NAME)):
        ours = sys.modules[_NAME]
    else:
        stock.remember(sys.modules.get(_NAME))
        ours = _Loaded.module = sys.modules[_NAME] = load(_NAME, os.path.dirname(os.path.abspath(__file__)))
    rebind(sys.modules.get("subprocess"), ours)
    if low_numbers is not None:
        load_second("_low_numbers", ours).reserve(low_numbers)


def uninstall():
    """Puts the interpreter's own module back. Calling it again changes nothing."""
    if not _is_ours(sys.modules.get(_NAME)):
        return
    del sys.modules[_NAME]
    subprocess_module = sys.modules.get("subprocess")
    if stock.was_imported() or subprocess_module is not None:
        original = sys.modules[_NAME] = stock.get(_NAME)
        if _is_ours(bound(subprocess_module)):
            rebind(subprocess_module, original)


def status():
    """Which module is in use."""
    return Status(sys.modules.get(_NAME), sys.modules.get("subprocess"))


def _at_startup():
    """What the line in the ``.pth`` file calls. The environment can say no, and how many low numbers are reserved."""
    if os.environ.get("FORKEXEC_POSIXSUBPROCESS") != "0":
        try:
            install()
        except (ImportError, RuntimeError):
            return
        low_numbers = os.environ.get("FORKEXEC_POSIXSUBPROCESS_LOW_NUMBERS")
        if low_numbers is not None:
            install(int(low_numbers))
