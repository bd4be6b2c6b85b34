"""What `make demo` does, on a port and a data directory of the test's own."""
import os
import re
import subprocess

import pytest

import harness

ADA = r'"name": ?"Ada"'
DEMO = os.path.join(harness.ROOT, 'tools', 'demo.sh')


@pytest.fixture
def demo(tmp_path):
    env = {**os.environ, 'CLOUDLESS_PORT': str(harness.free_port()), 'CLOUDLESS_DEMO_DATA': str(tmp_path / 'data')}

    def run(word, check=True, **more):
        return subprocess.run([DEMO, word], env={**env, **more}, capture_output=True, text=True, check=check, timeout=170)
    yield run
    run('stop')


@pytest.mark.timeout(600)
@pytest.mark.skipif(harness.BINARY != os.path.join(harness.ROOT, 'build', 'cloudless'), reason='the demo runs the ordinary build')
def test_demo_shows_the_items_of_the_last_time(demo, server):
    first = demo('start').stdout
    assert '"pong"' in first and 'try Cloudless' in first and 'make demo-stop' in first and first.count('cold start') == 1
    assert len(re.findall(ADA, first)) == 2                     # one item, listed by both languages
    assert all(len(re.findall(rf'^  {language} +[0-9.]+ ms  ', first, re.M)) == 13 for language in ('python', 'c'))
    again = demo('start').stdout
    assert 'Using the demo server that runs at' in again and len(re.findall(ADA, again)) == 4
    assert 'has ended' in demo('stop').stdout
    taken = demo('start', check=False, CLOUDLESS_PORT=str(server.port))
    assert taken.returncode == 1 and f'process {server.process.pid} (cloudless)' in taken.stderr and 'CLOUDLESS_PORT=' in taken.stderr
