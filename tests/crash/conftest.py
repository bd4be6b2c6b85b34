"""Finds the harness of the end-to-end tests. Every test here has servers of its own, because it breaks them."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'e2e'))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402


@pytest.fixture(scope='module')
def server():
    """One for a whole file; its last stop is the proof that it lived through the file."""
    with harness.running(args=['--log', 'warn']) as server:
        yield server
