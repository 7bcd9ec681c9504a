"""The two modules of one name, and where ``subprocess`` holds on to one of them."""

import importlib
import importlib.machinery
import importlib.util
import sys


def load(name, directory):
    """The extension module in this directory, under its plain name."""
    spec = importlib.machinery.PathFinder.find_spec(name, [directory])
    if spec is None:
        raise ImportError("cannot import {}: {} has no build for this interpreter".format(name, directory), name=name)
    return _create(spec)


def load_second(name, first):
    """Another module in the library of ``first``."""
    return _create(importlib.util.spec_from_file_location(name, first.__file__))


def _create(spec):
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Stock:
    """The interpreter's own module, as it was found."""

    def __init__(self):
        self._module = None

    def remember(self, module):
        self._module = module

    def was_imported(self):
        return self._module is not None

    def get(self, name):
        """The module; it is imported, if it was not yet. Nobody else's may stand in ``sys.modules``."""
        if self._module is None:
            self._module = importlib.import_module(name)
        return self._module


stock = _Stock()


def bound(subprocess_module):
    """The module that ``subprocess`` starts processes by."""
    if hasattr(subprocess_module, "_fork_exec"):
        return getattr(subprocess_module._fork_exec, "__self__", None)
    return getattr(subprocess_module, "_posixsubprocess", None)


def rebind(subprocess_module, module):
    """Lets ``subprocess`` start processes by this module. It binds the function since 3.11, and the module before."""
    if hasattr(subprocess_module, "_fork_exec"):
        subprocess_module._fork_exec = module.fork_exec
    elif hasattr(subprocess_module, "_posixsubprocess"):
        subprocess_module._posixsubprocess = module


def stock_module(name):
    """The interpreter's own module beside the one that is in use, which stays in use."""
    in_use = sys.modules.pop(name, None)
    try:
        return stock.get(name)
    finally:
        if in_use is not None:
            sys.modules[name] = in_use


def is_isolated():
    """Whether this is an isolated subinterpreter of 3.9 to 3.11, which starts no process: the stock module says so before
    it looks at the programs, and to any other interpreter that 5 is no list of them."""
    has_groups = [-1] if sys.version_info >= (3, 11) else []
    has_vfork = [False] if sys.version_info >= (3, 11) else []
    arguments = [[], 5, False, (), None, None] + [-1] * 8 + [False, False] + has_groups + [None, None, None, -1, None] + has_vfork
    try:
        stock_module("_posixsubprocess").fork_exec(*arguments)
    except RuntimeError:
        return True
    except TypeError:
        return False
