"""CPython's tests of ``multiprocessing`` by spawn, for an interpreter without ``test_multiprocessing_spawn``."""

from test._test_multiprocessing import install_tests_in_module_dict

install_tests_in_module_dict(globals(), "spawn")
