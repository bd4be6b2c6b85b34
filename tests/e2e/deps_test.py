"""tools/deps.sh where something is missing: what it says before it installs anything."""
import os
import subprocess

import pytest

import harness

DEPS = os.path.join(harness.ROOT, 'tools', 'deps.sh')
pytestmark = pytest.mark.plain


@pytest.fixture
def bare(tmp_path):
    """bare(release): the script's end on a system of that release that has none of the packages, as an ordinary user; apt-get is told of."""
    def run(release):
        (tmp_path / 'os-release').write_text(release)
        harness.executable(tmp_path / 'dpkg-query', '#!/bin/sh\nexit 1\n')
        harness.executable(tmp_path / 'id', '#!/bin/sh\necho 1000\n')
        harness.executable(tmp_path / 'apt-get', f'#!/bin/sh\ntouch {tmp_path}/called\n')
        done = subprocess.run([DEPS, 'apt'], capture_output=True, text=True, timeout=60,
                              env={**os.environ, 'PATH': f'{tmp_path}:{os.environ["PATH"]}', 'OS_RELEASE': str(tmp_path / 'os-release')})
        assert done.returncode == 1 and done.stdout == '' and not os.path.exists(tmp_path / 'called')
        return done.stderr
    return run


def test_an_ordinary_user_is_told_what_to_install(bare):
    said = bare('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n')
    assert 'install them, then run make again' in said and 'sudo apt-get install gcc g++ make' in said


@pytest.mark.parametrize('release', ['PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n', 'PRETTY_NAME="Arch Linux"\nID=arch\n'])
def test_another_system_is_named_before_anything_is_installed(bare, release):
    said = bare(release)
    assert said == f'deps: Cloudless is built on Debian 12; this is {release.split(chr(34))[1]}, whose packages are not the same\n'
