"""CPython's ``_posixsubprocess``, rebuilt in Rust: the same behaviour, faster starts, fewer leaks.

``install()`` replaces the interpreter's own module, ``uninstall()`` restores it, and ``status()`` shows which one is in use.
The import alone has no effect.
"""

import os
import sys

from ._modules import bound, load, load_second, rebind, stock

__all__ = ["Status", "install", "status", "uninstall"]

_NAME = "_posixsubprocess"
_OLDEST, _NEWEST = (3, 8), (3, 15)


class _Loaded:
    #: This package's module, after it was loaded.
    module = None


class Status:
    """The module that is in use."""

    def __init__(self, module, subprocess_module):
        #: The path of the module that ``import _posixsubprocess`` returns, ``None`` if it is built in.
        self.module = getattr(module, "__file__", None)
        #: True if that module is this package's.
        self.installed = _is_ours(module)
        #: True if ``subprocess`` uses it, ``None`` if ``subprocess`` was not imported.
        self.in_use = None if subprocess_module is None else _is_ours(bound(subprocess_module))
        #: True if ``subprocess`` can bypass it with ``posix_spawn``.
        self.may_posix_spawn = getattr(subprocess_module, "_USE_POSIX_SPAWN", None)
        #: The descriptors that are reserved for starting children in constant time.
        self.low_numbers = load_second("_low_numbers", _Loaded.module).descriptors() if _Loaded.module else []

    def __repr__(self):
        fields = ", ".join("{}={!r}".format(name, value) for name, value in sorted(vars(self).items()))
        return "Status({})".format(fields)


def _is_ours(module):
    file = getattr(module, "__file__", None)
    return file is not None and os.path.dirname(os.path.abspath(file)) == os.path.dirname(os.path.abspath(__file__))


def install(low_numbers=None):
    """Replaces the interpreter's module by this package's, in this process.

    ``subprocess`` and ``multiprocessing`` start processes with it from now on. Another call has no effect. Raises
    ``RuntimeError`` on an unsupported interpreter.

    ``low_numbers`` reserves so many descriptor numbers below 64, from 0 to 16, or as many as are free. On Linux, a start takes
    the same time with any number of open descriptors if the descriptors of the child are below 64, or can be duplicated to
    reserved numbers until the child runs. To capture the output of four children at once, with their input on a pipe, reserve
    12. A process that opens many descriptors reserves early. Each number is an open descriptor with close-on-exec, and the
    reservation needs one more.

    By default, four numbers are reserved when they are first needed, if they are free. 0 closes them, and none are reserved
    later. Raises ``ValueError`` for another number, and ``OSError`` if the process cannot open more descriptors.
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
    """Restores the interpreter's own module. Another call has no effect."""
    if not _is_ours(sys.modules.get(_NAME)):
        return
    del sys.modules[_NAME]
    subprocess_module = sys.modules.get("subprocess")
    if stock.was_imported() or subprocess_module is not None:
        original = sys.modules[_NAME] = stock.get(_NAME)
        if _is_ours(bound(subprocess_module)):
            rebind(subprocess_module, original)


def status():
    """Returns the module that is in use."""
    return Status(sys.modules.get(_NAME), sys.modules.get("subprocess"))


def _at_startup():
    """Called by the line in the ``.pth`` file. The environment can disable it, and set the number of low numbers."""
    if os.environ.get("FORKEXEC_POSIXSUBPROCESS") != "0":
        try:
            install()
        except (ImportError, RuntimeError):
            return
        low_numbers = os.environ.get("FORKEXEC_POSIXSUBPROCESS_LOW_NUMBERS")
        if low_numbers is not None:
            install(int(low_numbers))
