"""http2_test.py -- HTTP/2 through clients of others: curl, nghttp, and h2spec, which knows how every frame is to be answered."""
import json
import os
import re
import shutil
import subprocess

import pytest

import harness

H2SPEC = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible'
TOOLS = os.path.join(os.path.dirname(__file__), '..', '..', 'build', 'tools')
# What h2spec wants otherwise, and why it is as it is.
NAMED = {
    'Sends invalid connection preface': 'on plain TCP that is a request of HTTP/1.1: it is answered 400 in HTTP/1.1, and closed',
}


def curl(*words):
    return subprocess.run(['curl', '-sS', '--http2-prior-knowledge', '--max-time', '30', *words], capture_output=True, text=True, check=True).stdout


def signed(server, target, body):
    env = server.client_env()
    return curl('-w', ' %{http_version} %{http_code}', '--aws-sigv4', f'aws:amz:{harness.REGION}:dynamodb',
                '--user', f'{env["AWS_ACCESS_KEY_ID"]}:{env["AWS_SECRET_ACCESS_KEY"]}', '-H', f'X-Amz-Target: DynamoDB_20120810.{target}',
                '-H', 'Content-Type: application/x-amz-json-1.0', '-d', body, f'http://127.0.0.1:{server.port}/')


@pytest.mark.smoke
def test_signed_call(server):
    """The authority of a stream is the host that was signed."""
    answer, version, status = signed(server, 'ListTables', '{"Limit": 5}').rsplit(' ', 2)
    assert (version, status) == ('2', '200')
    assert 'TableNames' in json.loads(answer)
    answer, version, status = signed(server, 'ListTables', '{"Limit": 500}').rsplit(' ', 2)
    assert (version, status) == ('2', '400') and 'ValidationException' in answer


def test_unsigned_call(server):
    answer = curl('-i', '-d', '{}', '-H', 'X-Amz-Target: DynamoDB_20120810.ListTables', f'http://127.0.0.1:{server.port}/')
    assert answer.startswith('HTTP/2 400') and 'MissingAuthenticationToken' in answer


def test_over_tls(server):
    """By ALPN: HTTP/2 for who offers it, HTTP/1.1 for others."""
    url = f'https://127.0.0.1:{server.port}/_cloudless/health'
    for offer, version in (('--http2', '2'), ('--http1.1', '1.1')):
        said = subprocess.run(['curl', '-sSk', offer, '--max-time', '30', '-o', os.devnull, '-w', '%{http_version} %{http_code}', url],
                              capture_output=True, text=True, check=True).stdout
        assert said == f'{version} 200'


def test_body_over_its_limit(server):
    answer = subprocess.run(['curl', '-sS', '--http2-prior-knowledge', '-o', os.devnull, '-w', '%{http_code}', '--data-binary', '@-',
                             f'http://127.0.0.1:{server.port}/'], input=b'x' * (2 << 20), capture_output=True, timeout=30, check=False)
    assert answer.stdout == b'413'


def test_nghttp(server):
    if not shutil.which('nghttp'):
        pytest.skip('no nghttp')
    url = f'http://127.0.0.1:{server.port}/_cloudless/health'
    said = subprocess.run(['nghttp', '-nv', url], capture_output=True, text=True, timeout=30, check=True).stdout
    assert ':status: 200' in said
    assert 'error_code=NO_ERROR' in said


@pytest.fixture(scope='module')
def h2spec():
    path = shutil.which('h2spec') or os.path.abspath(os.path.join(TOOLS, 'h2spec'))
    if not os.path.exists(path):
        if not shutil.which('go'):
            pytest.skip('neither h2spec nor go')
        env = dict(os.environ, GOBIN=os.path.dirname(path), GOFLAGS='-mod=mod')
        made = subprocess.run(['go', 'install', H2SPEC], env=env, capture_output=True, text=True, timeout=300, check=False)
        if made.returncode:
            pytest.skip(f'h2spec cannot be built: {made.stderr[-200:]}')
    return path


@pytest.mark.parametrize('tls', [False, True])
def test_h2spec(h2spec, tls):
    """A server of its own, as its clients leave floods and broken connections behind."""
    with harness.running() as server:
        said = subprocess.run([h2spec, '-h', '127.0.0.1', '-p', str(server.port), '-P', '/', '-o', '5', *(['-t', '-k'] if tls else [])],
                              capture_output=True, text=True, timeout=300, check=False).stdout
        failed = re.findall(r'× \d+: (.*)', said.split('Failures:')[-1]) if 'Failures:' in said else []
        assert re.search(r'\d+ tests, \d+ passed', said), said[-2000:]
        assert set(failed) <= (set() if tls else set(NAMED)), said[-4000:]
        harness.until(lambda: harness.http('GET', f'http://127.0.0.1:{server.port}/_cloudless/health').status == 200)
