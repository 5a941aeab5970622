#!/usr/bin/env python3
"""The classic how-tos, by name: howto_test.py [WORD...] runs those whose name has all these words, in any order; --list names them."""
import glob
import importlib
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from lab import become_able                               # noqa: E402


def each(suite):
    for test in suite:
        yield from each(test) if isinstance(test, unittest.TestSuite) else (test,)


def all_of_them():
    names = sorted(os.path.basename(path)[:-3] for path in glob.glob(os.path.join(HERE, "howto_*_test.py")))
    return [test for name in names for test in each(unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module("lab." + name)))]


def name_of(test):
    return test.id().rsplit(".", 1)[1].removeprefix("test_")


def main(words):
    chosen = [test for test in all_of_them() if all(word.lower() in name_of(test) for word in words if word != "--list")]
    if "--list" in words:
        print("\n".join(name_of(test) for test in chosen))
        return 0
    if not chosen:
        print(f"no how-to is called {' '.join(words)}; --list names them", file=sys.stderr)
        return 64
    return 0 if unittest.TextTestRunner(verbosity=2).run(unittest.TestSuite(chosen)).wasSuccessful() else 1


if __name__ == "__main__":
    become_able()
    sys.exit(main(sys.argv[1:]))
