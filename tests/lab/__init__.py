"""A small internet on one machine: a home behind a provider that closes port 25, and the world. See README.md."""
from .lab import Lab                                   # noqa: F401
from .places import Unavailable, become_able, unavailable   # noqa: F401
