#!/usr/bin/env python3
"""Whether there can be a lab here: exit 0, or 69 and the reason with its cure."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lab import become_able, unavailable                 # noqa: E402

become_able()
if unavailable():
    print(unavailable(), file=sys.stderr)
    sys.exit(69)
