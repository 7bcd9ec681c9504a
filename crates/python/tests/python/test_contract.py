"""The contract: for all arguments of ``fork_exec``, this package's module and the interpreter's own have the same outcome."""

import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

#: The known differences: the beginning of the path, and the reason.
DIFFERENCES = {
    "bad_executable_list.list": "without a program, the stock module reports the errno of an earlier call, or none; this one reports ENOENT",
    "bad_executable_list.tuple": "as above",
    "copies_under_a_closed_number.0": "the stock module copies a stream before it places the others, and the copy gets the number of a source "
                                      "that the child closed; this one reports that the source is not open",
}


def outcomes(which):
    done = subprocess.run([sys.executable, os.path.join(HERE, "contract.py"), which], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.decode())


def differences(stock, ours, path=""):
    """Yields the paths at which two outcomes differ, with both values."""
    if type(stock) is type(ours) is dict:
        for key in sorted(set(stock) | set(ours)):
            yield from differences(stock.get(key, "absent"), ours.get(key, "absent"), path + "." + key if path else key)
    elif type(stock) is type(ours) is list and len(stock) == len(ours):
        for index, pair in enumerate(zip(stock, ours)):
            yield from differences(*pair, path="{}.{}".format(path, index))
    elif stock != ours:
        yield path, stock, ours


class Contract(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.stock, cls.ours = outcomes("stock"), outcomes("ours")
        cls.found = list(differences(cls.stock, cls.ours))

    def test_every_case_comes_to_its_end(self):
        for name, outcome in sorted(self.stock.items()):
            with self.subTest(case=name):
                self.assertFalse(isinstance(outcome, str) and outcome.startswith("case "), outcome)

    def test_each_difference_is_on_the_list(self):
        for path, stock, ours in self.found:
            with self.subTest(path=path):
                if not any(path.startswith(known) for known in DIFFERENCES):
                    self.fail("stock: {!r}\nours:  {!r}".format(stock, ours))

    def test_each_listed_difference_exists(self):
        for known in DIFFERENCES:
            self.assertTrue(any(path.startswith(known) for path, _, _ in self.found), known)

    def assert_same(self, case):
        self.assertFalse(isinstance(self.stock[case], str) and self.stock[case].startswith("case "), self.stock[case])
        self.assertEqual(self.stock[case], self.ours[case])

    # Faults: P1
    def test_claimed_length_is_checked(self):
        self.assert_same("lengths_that_are_claimed")
        self.assert_same("lists_that_claim_another_length")
        self.assert_same("calls_of_cpython_s_own_tests")
        self.assertEqual([outcome.split(":")[0] for outcome in self.ours["calls_of_cpython_s_own_tests"]], ["TypeError", "MemoryError", "TypeError"])
        self.assertEqual(self.ours["lengths_that_are_claimed"]["env {}".format(sys.maxsize)][0], "MemoryError: ")

    # Faults: P2
    def test_keep_list_has_the_items_of_the_tuple(self):
        self.assert_same("keep_lists_of_a_subclass")

    # Faults: P3
    def test_messages_name_types_as_the_interpreter_does(self):
        self.assert_same("names_of_types")

    # Faults: P4
    def test_items_are_copied_and_dropped_at_once(self):
        self.assert_same("items_of_subclasses")

    # Faults: P5
    def test_streams_are_placed_in_their_order(self):
        self.assert_same("streams_that_are_not_there_when_the_report_goes_to_one")

    def test_there_are_cases(self):
        self.assertGreater(len(self.stock), 60)


if __name__ == "__main__":
    unittest.main()
