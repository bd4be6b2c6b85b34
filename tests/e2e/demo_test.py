"""What `make demo` does, on a port and a data directory of the test's own."""
import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, 'tools'))
import demo_ask  # noqa: E402

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
    assert all('13 of 13 requests had the right answer, the same' in text and 'DIFFERENT' not in text and 'WRONG' not in text for text in (first, again))
    for application in 'router', 'todo', 'items', 'orders':         # what it does is shown while it does it
        for language in 'python', 'c':
            steps = re.findall(f'^  {application}, {language}: (.*)$', first, re.M)
            assert steps[0].startswith('IAM role') and steps[-1] == 'deployment to stage prod'
    assert re.search(r'^  deployed in \d+ s$', first, re.M)
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


@contextlib.contextmanager
def of_nobody(command, ready):
    """A server of another user; `ready` stands in the line that it begins with. Yields its process; what it says later goes to its `said`."""
    process = subprocess.Popen(command, user='nobody', group='nogroup', cwd='/', stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        while ready not in (line := process.stdout.readline()):
            assert line, 'it ended'
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@ORDINARY
@pytest.mark.skipif(os.getuid() != 0, reason='needs another user')
@pytest.mark.parametrize('kind', ['a plain server', 'a Cloudless'])
def test_a_server_of_another_user_is_not_talked_to(demo, kind, tmp_path):
    port = harness.free_port()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        binary = shutil.copy(harness.BINARY, folder)
        command, ready = {
            'a plain server': ([sys.executable, '-u', '-m', 'http.server', '--bind', '127.0.0.1', str(port)], 'Serving'),
            'a Cloudless': ([binary, 'serve', '--data', f'{folder}/data', '--listen', f'127.0.0.1:{port}', '--access-log', f'{folder}/access'], 'is ready'),
        }[kind]
        if kind == 'a plain server':
            command[0] = '/usr/bin/python3'
        with of_nobody(command, ready) as process:
            taken = demo('start', check=False, CLOUDLESS_PORT=str(port))
            process.terminate()
            said = process.stdout.read()
        assert taken.returncode == 1 and f'Port {port} is taken by the user nobody, process {process.pid} (' in taken.stderr, taken
        assert 'does not talk to it' in taken.stderr and 'CLOUDLESS_PORT=' in taken.stderr and 'Using' not in taken.stdout
        assert 'GET' not in said and 'POST' not in said
        if kind == 'a Cloudless':
            assert open(f'{folder}/access').read() == ''
    assert not os.path.exists(tmp_path / 'data')


@ORDINARY
@pytest.mark.skipif(os.getuid() != 0, reason='needs another user')
def test_a_process_that_is_not_seen_is_known_by_its_user(server):
    """To an ordinary user the kernel tells whose a socket is, not which process has it."""
    with open(os.path.join(harness.ROOT, 'tools', 'port_owner.py')) as script:
        seen = subprocess.run(['/usr/bin/python3', '-', str(server.port)], stdin=script, user='nobody', group='nogroup', cwd='/', capture_output=True, text=True, check=True)
    assert seen.stdout == '- root\n'


@ORDINARY
@pytest.mark.skipif(subprocess.run(['unshare', '-r', 'true'], capture_output=True).returncode != 0, reason='needs a user namespace')
def test_a_machine_that_cannot_run_functions_is_told(demo, tmp_path):
    """In a user namespace that may have no further ones; nothing is deployed, and no server stays."""
    command = f'echo 0 >/proc/sys/user/max_user_namespaces && exec {DEMO} start'
    done = subprocess.run(['unshare', '-r', 'sh', '-c', command], capture_output=True, text=True, timeout=120,
                          env={**os.environ, 'CLOUDLESS_PORT': str(harness.free_port()), 'CLOUDLESS_DEMO_DATA': str(tmp_path / 'data')})
    assert done.returncode == 1 and 'Functions cannot be run on this machine: ' in done.stderr and 'sysctl user.max_user_namespaces=' in done.stderr
    assert 'deployed' not in done.stdout and 'has ended' in done.stdout


@ORDINARY
def test_a_deployment_that_fails_ends_the_demo(demo, tmp_path):
    harness.executable(tmp_path / 'sed', '#!/bin/sh\nPATH=${PATH#*:} exec sed "$@"\n')
    failed = demo('start', check=False, PATH=f'{tmp_path}:{os.environ["PATH"]}', C_PACKAGES=str(tmp_path / 'none'))
    assert failed.returncode == 1 and 'The applications are not deployed.' in failed.stderr and f'{tmp_path}/none/router.zip is missing' in failed.stdout
    assert 'requests had' not in failed.stdout


JSON, TEXT = 'application/json', 'text/plain'


# A status of None is the right one of each request.
@pytest.mark.parametrize('python, c, wrong', [
    ((None, JSON, '{"a": 1.50, "b": "x"}'), (None, JSON, '{"b":"x","a":1.50}'), None),
    ((None, JSON, '{"id":"9eea27fb-6a43-4bcf-8668-fb57d6a79cb7"}'), (None, JSON, '{"id":"00000000-0000-4000-8000-000000000000"}'), None),
    ((None, JSON, '{"at":"2026-01-01T00:00:00Z"}'), (None, JSON, '{"at":"2027-12-31T23:59:59Z"}'), None),
    ((None, JSON, '{"a":1.50}'), (None, JSON, '{"a":1.5}'), 'DIFFERENT, '),
    ((None, JSON, '{"error":"this"}'), (None, JSON, '{"error":"that"}'), 'DIFFERENT, '),
    ((418, JSON, '{}'), (500, JSON, '{}'), 'DIFFERENT, '),
    ((None, JSON, '{}'), (None, TEXT, '{}'), 'DIFFERENT, '),
    ((502, JSON, '{}'), (502, JSON, '{}'), 'WRONG ('),
], ids=lambda value: '' if isinstance(value, tuple) else str(value))
def test_answers_that_differ_or_are_equally_wrong_are_shown_and_fail(tmp_path, python, c, wrong):
    """All applications of a language are one that has one answer."""
    done = asked_of_servers(tmp_path, python, c)
    assert done.returncode == (1 if wrong else 0) and done.stderr == '', done
    assert f'{0 if wrong else 13} of 13 requests had the right answer' in done.stdout
    for word in 'DIFFERENT, ', 'WRONG (':
        assert done.stdout.count(word) == (26 if word == wrong else 0)


def test_errors_that_the_gateway_takes_for_answers_are_wrong(tmp_path):
    error = None, JSON, '{"errorType":"BadRequest","errorMessage":"no"}'
    done = asked_of_servers(tmp_path, error, error)
    assert done.returncode == 1 and done.stdout.count('WRONG (200 is right)') == 14 and done.stdout.count('WRONG (201 is right)') == 4


def unstamped(*texts):
    """Without the seconds in which the module was loaded, which are others in the process that asks."""
    return [re.sub(r'\d{10}|\d\d:\d\d:\d\d', '', text) for text in texts]


def asked_of_servers(tmp_path, python, c):
    """demo_ask's end, where each language is a server that gives one answer: status, type, text."""
    right = {}
    for name, _, _, requests in demo_ask.APPLICATIONS:
        for method, path, body, with_token, status in requests:
            for language in 'python', 'c':
                path_, body_ = [text.replace('LANG', language) for text in (f'/{name}{path}', json.dumps(body) if body else '')]
                right[method, *unstamped(path_, body_), with_token] = status

    class Application(http.server.BaseHTTPRequestHandler):
        protocol_version, wbufsize = 'HTTP/1.1', -1         # head and body leave together

        def answer(self):
            status, kind, text = self.server.said
            body = self.rfile.read(int(self.headers.get('Content-Length', 0))).decode()
            self.send_response(status or right[self.command, *unstamped(self.path, body), 'Authorization' in self.headers])
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
            (tmp_path / f'{name}-{language}.url').write_text(f'http://127.0.0.1:{server.server_port}/{name}\n')
    try:
        return subprocess.run([sys.executable, demo_ask.__file__, tmp_path], env={**os.environ, 'JWT_SECRET': 'secret'}, capture_output=True, text=True,
                              timeout=60)
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()
