"""What `make demo` does, on a port and a data directory of the test's own."""
import http.server
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

import harness

ADA = r'"name": ?"Ada"'
DEMO = os.path.join(harness.ROOT, 'tools', 'demo.sh')
ORDINARY = pytest.mark.skipif(harness.BINARY != os.path.join(harness.ROOT, 'build', 'cloudless'), reason='the demo runs the ordinary build')
pytestmark = [pytest.mark.timeout(900), pytest.mark.plain]


@pytest.fixture
def demo(tmp_path):
    env = {**os.environ, 'CLOUDLESS_PORT': str(harness.free_port()), 'CLOUDLESS_DEMO_DATA': str(tmp_path / 'data')}

    def run(word, check=True, **more):
        return subprocess.run([DEMO, word], env={**env, **more}, capture_output=True, text=True, check=check, timeout=400)
    yield run
    run('stop')


@ORDINARY
def test_demo_shows_the_items_of_the_last_time(demo):
    first = demo('start').stdout
    assert '"pong"' in first and 'try Cloudless' in first and 'make demo-stop' in first
    assert len(re.findall(ADA, first)) == 1 + 1                 # the request, and what is listed
    assert len(re.findall(r'^  python [0-9.]+ ms   c [0-9.]+ ms$', first, re.M)) == 13
    assert re.findall(r'^(\w+)(?: +[0-9]+\.[0-9]){4}$', first, re.M) == ['router', 'todo', 'items', 'orders']        # cold and warm, of both
    again = demo('start').stdout
    assert 'Using the demo server that runs at' in again and len(re.findall(ADA, again)) == 1 + 2
    assert all('13 of 13 requests had the same answer' in text and 'DIFFERENT' not in text for text in (first, again))
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


JSON, TEXT = 'application/json', 'text/plain'


@pytest.mark.parametrize('python, c, equal', [
    ((200, JSON, '{"a": 1.50, "b": "x"}'), (200, JSON, '{"b":"x","a":1.50}'), True),
    ((201, JSON, '{"id":"9eea27fb-6a43-4bcf-8668-fb57d6a79cb7"}'), (201, JSON, '{"id":"00000000-0000-4000-8000-000000000000"}'), True),
    ((200, JSON, '{"at":"2026-01-01T00:00:00Z"}'), (200, JSON, '{"at":"2027-12-31T23:59:59Z"}'), True),
    ((200, JSON, '{"a":1.50}'), (200, JSON, '{"a":1.5}'), False),
    ((200, JSON, '{"error":"this"}'), (200, JSON, '{"error":"that"}'), False),
    ((400, JSON, '{}'), (500, JSON, '{}'), False),
    ((200, JSON, '{}'), (200, TEXT, '{}'), False),
], ids=lambda value: '' if isinstance(value, tuple) else str(value))
def test_answers_that_differ_are_shown_and_fail(tmp_path, python, c, equal):
    """All applications of a language are one that has one answer."""
    class Application(http.server.BaseHTTPRequestHandler):
        protocol_version, wbufsize = 'HTTP/1.1', -1         # head and body leave together

        def answer(self):
            status, kind, text = self.server.said
            self.rfile.read(int(self.headers.get('Content-Length', 0)))
            self.send_response(status)
            self.send_header('Content-Type', kind)
            self.send_header('Content-Length', str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())
        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_):
            pass
    servers = {language: http.server.ThreadingHTTPServer(('127.0.0.1', 0), Application) for language in ('python', 'c')}
    for language, server in servers.items():
        server.said = {'python': python, 'c': c}[language]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in 'router', 'todo', 'items', 'orders':
            (tmp_path / f'{name}-{language}.url').write_text(f'http://127.0.0.1:{server.server_port}/prod\n')
    done = subprocess.run([sys.executable, os.path.join(harness.ROOT, 'tools', 'demo_ask.py'), tmp_path], env={**os.environ, 'JWT_SECRET': 'secret'},
                          capture_output=True, text=True, timeout=60)
    for server in servers.values():
        server.shutdown()
        server.server_close()
    assert done.returncode == (0 if equal else 1) and done.stderr == '', done
    assert f'{13 if equal else 0} of 13 requests had the same answer' in done.stdout and done.stdout.count('DIFFERENT, ') == (0 if equal else 26)
