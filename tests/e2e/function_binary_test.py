"""What a function in C needs to run: read from the programs that `make examples` built."""
import os
import re
import subprocess

import pytest

import harness

EXAMPLES = ['router', 'todo', 'items', 'orders']
GLIBC = (2, 34)                 # of Amazon Linux 2023, the system of provided.al2023
BYTES_MAX = 6 << 20
NEEDED = {'libc.so.6', 'ld-linux-x86-64.so.2'}


def bootstrap(name):
    return os.path.join(harness.ROOT, 'build', 'examples', name, 'bootstrap')


def readelf(*words):
    return subprocess.run(['readelf', '-W', *words], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize('name', EXAMPLES)
def test_needs_only_an_old_enough_c_library(name):
    assert set(re.findall(r'NEEDED.*\[(.*?)\]', readelf('-d', bootstrap(name)))) <= NEEDED
    versions = {tuple(map(int, v.split('.'))) for v in re.findall(r'GLIBC_([0-9.]+)', readelf('-V', bootstrap(name)))}
    assert versions and max(versions) <= GLIBC


@pytest.mark.parametrize('name', EXAMPLES)
def test_is_stripped_small_and_hardened(name):
    assert os.path.getsize(bootstrap(name)) <= BYTES_MAX
    sections = readelf('-S', bootstrap(name))
    assert '.debug_info' not in sections and '.symtab' not in sections
    headers = readelf('-l', bootstrap(name))
    assert 'GNU_RELRO' in headers and re.search(r'GNU_STACK.*RW\s', headers) and 'BIND_NOW' in readelf('-d', bootstrap(name))
