"""The two modules with the same name, and the references of ``subprocess`` to them."""

import importlib
import importlib.machinery
import importlib.util
import sys


def load(name, directory):
    """Loads the extension module in this directory, under its plain name."""
    spec = importlib.machinery.PathFinder.find_spec(name, [directory])
    if spec is None:
        raise ImportError("cannot import {}: {} has no build for this interpreter".format(name, directory), name=name)
    return _create(spec)


def load_second(name, first):
    """Loads another module from the library of ``first``."""
    return _create(importlib.util.spec_from_file_location(name, first.__file__))


def _create(spec):
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Stock:
    """The interpreter's own module, if it was imported."""

    def __init__(self):
        self._module = None

    def remember(self, module):
        self._module = module

    def was_imported(self):
        return self._module is not None

    def get(self, name):
        """Returns the module, and imports it first if necessary. ``sys.modules`` must not have another one."""
        if self._module is None:
            self._module = importlib.import_module(name)
        return self._module


stock = _Stock()


def bound(subprocess_module):
    """Returns the module that ``subprocess`` uses."""
    if hasattr(subprocess_module, "_fork_exec"):
        return getattr(subprocess_module._fork_exec, "__self__", None)
    return getattr(subprocess_module, "_posixsubprocess", None)


def rebind(subprocess_module, module):
    """Makes ``subprocess`` use this module. It refers to the function since 3.11, and to the module before."""
    if hasattr(subprocess_module, "_fork_exec"):
        subprocess_module._fork_exec = module.fork_exec
    elif hasattr(subprocess_module, "_posixsubprocess"):
        subprocess_module._posixsubprocess = module


def stock_module(name):
    """Returns the interpreter's own module, and leaves the one that is in use."""
    in_use = sys.modules.pop(name, None)
    try:
        return stock.get(name)
    finally:
        if in_use is not None:
            sys.modules[name] = in_use


def is_isolated():
    """Returns True in an isolated subinterpreter of 3.9 to 3.11, which starts no process.

    The stock module refuses the call there before it checks the programs. In other interpreters it refuses 5, which is no list
    of programs."""
    has_groups = [-1] if sys.version_info >= (3, 11) else []
    has_vfork = [False] if sys.version_info >= (3, 11) else []
    arguments = [[], 5, False, (), None, None] + [-1] * 8 + [False, False] + has_groups + [None, None, None, -1, None] + has_vfork
    try:
        stock_module("_posixsubprocess").fork_exec(*arguments)
    except RuntimeError:
        return True
    except TypeError:
        return False
