"""What `make demo` does, on a port and a data directory of the test's own."""
import os
import subprocess

import pytest

import harness

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
    assert '"pong"' in first and 'try Cloudless' in first and 'make demo-stop' in first
    assert first.count('"name": "Ada"') == 1
    again = demo('start').stdout
    assert 'Using the demo server that runs at' in again and again.count('"name": "Ada"') == 2
    assert 'has ended' in demo('stop').stdout
    taken = demo('start', check=False, CLOUDLESS_PORT=str(server.port))
    assert taken.returncode == 1 and f'process {server.process.pid} (cloudless)' in taken.stderr and 'CLOUDLESS_PORT=' in taken.stderr
