"""What `make demo` does, on a port and a data directory of the test's own."""
import os
import re
import socket
import subprocess

import pytest

import harness

ADA = r'"name": ?"Ada"'
DEMO = os.path.join(harness.ROOT, 'tools', 'demo.sh')
ORDINARY = pytest.mark.skipif(harness.BINARY != os.path.join(harness.ROOT, 'build', 'cloudless'), reason='the demo runs the ordinary build')
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def demo(tmp_path):
    env = {**os.environ, 'CLOUDLESS_PORT': str(harness.free_port()), 'CLOUDLESS_DEMO_DATA': str(tmp_path / 'data')}

    def run(word, check=True, **more):
        return subprocess.run([DEMO, word], env={**env, **more}, capture_output=True, text=True, check=check, timeout=170)
    yield run
    run('stop')


@ORDINARY
def test_demo_shows_the_items_of_the_last_time(demo):
    first = demo('start').stdout
    assert '"pong"' in first and 'try Cloudless' in first and 'make demo-stop' in first and first.count('cold start') == 1
    assert len(re.findall(ADA, first)) == 1 + 2                 # the request, and one item listed by both languages
    assert all(len(re.findall(rf'^  {language} +[0-9.]+ ms  ', first, re.M)) == 13 for language in ('python', 'c'))
    again = demo('start').stdout
    assert 'Using the demo server that runs at' in again and len(re.findall(ADA, again)) == 1 + 4
    assert 'has ended' in demo('stop').stdout


@ORDINARY
def test_a_server_of_ours_is_used_and_a_port_of_another_is_named(demo, server):
    ours = demo('start', CLOUDLESS_PORT=str(server.port)).stdout
    assert f'Using the Cloudless server that runs at {server.url}, with its data in {server.data}' in ours and '"pong"' in ours
    assert 'No demo server is running' in demo('stop').stdout and server.process.poll() is None
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        taken = demo('start', check=False, CLOUDLESS_PORT=str(port))
    assert taken.returncode == 1 and f'Port {port} is taken by process {os.getpid()} ' in taken.stderr and 'CLOUDLESS_PORT=' in taken.stderr
