"""The program itself: its command line, its data directory, its health, its start and its end."""
import os
import re
import signal
import subprocess

import boto3
import pytest

import harness
from harness import http


def run(*words, **kw):
    return subprocess.run([harness.BINARY, *words], capture_output=True, text=True, timeout=60, **kw)


@pytest.mark.smoke
def test_health_and_own_paths(server):
    answer = http('GET', server.url + '/_cloudless/health')
    assert answer.status == 200 and answer.json['status'] == 'ready'
    assert http('GET', server.url + '/_cloudless/secret').status == 404


def test_ready_line_names_the_url(server):
    assert server.url in server.ready_line


def test_help_and_version():
    assert run('version').stdout.startswith('cloudless ')
    everything = run('--help')
    assert everything.returncode == 0 and all(w in everything.stdout for w in ('serve', 'env', 'doctor', 'runtime list', 'version'))
    serve = run('serve', '--help')
    assert serve.returncode == 0 and '--listen' in serve.stdout and 'SIGTERM' in serve.stdout
    assert run('help', 'serve').stdout == serve.stdout
    for words in (['runtime', '--help'], ['runtime', 'list', '--help'], ['help', 'runtime']):
        assert run(*words).stdout.startswith('cloudless runtime list: '), words
    assert run('help', 'fly').returncode == 2 and run('runtime', 'fly').returncode == 2


def test_a_taken_port_and_a_taken_data_directory_are_refused(server, tmp_path):
    taken = run('serve', '--data', str(tmp_path), '--listen', f'127.0.0.1:{server.port}')
    assert taken.returncode == 1 and 'the port is taken' in taken.stderr
    locked = run('serve', '--data', server.data, '--listen', f'127.0.0.1:{harness.free_port()}')
    assert locked.returncode == 1 and 'another server uses the data directory' in locked.stderr


def test_a_start_that_fails_in_the_middle_ends(tmp_path):
    os.makedirs(tmp_path / 'credentials.new' / 'in the way')
    failed = run('serve', '--data', str(tmp_path), '--listen', f'127.0.0.1:{harness.free_port()}')
    assert failed.returncode == 1 and '/credentials: cannot be written: Is a directory' in failed.stderr


def test_credentials_file_is_private_and_works_as_a_profile(server):
    path = os.path.join(server.data, 'credentials')
    assert os.stat(path).st_mode & 0o777 == 0o600
    env = {**os.environ, 'AWS_SHARED_CREDENTIALS_FILE': path, 'AWS_PAGER': ''}
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'):
        env.pop(name, None)
    done = subprocess.run(['/usr/bin/aws', '--endpoint-url', server.url, '--region', 'us-east-1', 'sts', 'get-caller-identity'],
                          env=env, capture_output=True, text=True)
    assert done.returncode == 0 and 'arn:aws:iam::000000000000:root' in done.stdout


def test_env_gives_a_shell_what_a_client_needs(server):
    names = 'AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL AWS_REGION'
    script = f'eval "$({harness.BINARY} env --data {server.data})" && printenv {names}'
    seen = subprocess.run(['bash', '-c', script], capture_output=True, text=True, check=True).stdout.split()
    assert seen == [server.access_key, server.secret_key, server.url, 'us-east-1']
    assert 'start `cloudless serve' in run('env', '--data', '/nowhere').stderr


def test_doctor_and_runtimes():
    doctor, runtimes = run('doctor'), run('runtime', 'list')
    assert doctor.returncode in (0, 1) and 'python3.11' in doctor.stdout
    assert runtimes.returncode == 0 and len(runtimes.stdout.splitlines()) == 6
    for line in runtimes.stdout.splitlines():
        state, name, *rest = line.split(maxsplit=2)
        assert state in ('ok', '--') and rest, f'{name} says where it is or what would install it'


def test_where_interpreters_are_looked_for(tmp_path):
    """--runtime, PATH without pyenv's shims, pyenv's folder, uv's folder; of several patch releases the newest."""
    def put(place):
        path = tmp_path / place
        path.parent.mkdir(parents=True)
        harness.executable(path, '#!/bin/sh\n')
        return str(path)

    def found(*words, path):
        env = {**os.environ, 'HOME': str(tmp_path), 'PATH': ':'.join(str(tmp_path / p) for p in path)}
        lines = run('runtime', 'list', *words, env=env).stdout.splitlines()
        return {name: rest for _, name, rest in (line.split(maxsplit=2) for line in lines)}
    put('.pyenv/shims/python3.13'), put('.pyenv/versions/3.13.9/bin/python3.13')
    pyenv, uv = put('.pyenv/versions/3.13.10/bin/python3.13'), put('.local/share/uv/python/cpython-3.12.1-linux/bin/python3.12')
    on_path, named = put('bin/python3.13'), put('elsewhere/python3.13')
    seen = found(path=['.pyenv/shims'])
    assert pyenv in seen['python3.13'] and uv in seen['python3.12'] and 'uv python install 3.9' in seen['python3.9']
    assert on_path in found(path=['.pyenv/shims', 'bin'])['python3.13']
    assert named in found('--runtime', f'python3.13={named}', path=['bin'])['python3.13']


def test_preset_root_key_and_account():
    key, secret = 'AKIAPRESETPRESETPRES', 'preset/secret+of+the+root+key0123456789A'
    server = harness.Server(args=['--account', '123456789012'],
                            env={'CLOUDLESS_ROOT_ACCESS_KEY_ID': key, 'CLOUDLESS_ROOT_SECRET_ACCESS_KEY': secret}).start()
    try:
        sts = boto3.client('sts', endpoint_url=server.url, region_name='us-east-1', aws_access_key_id=key,
                           aws_secret_access_key=secret)
        assert sts.get_caller_identity()['Arn'] == 'arn:aws:iam::123456789012:root'
        assert not any(secret in line for line in server.log)
    finally:
        server.stop()
        server.remove()


def test_sigterm_keeps_everything_and_a_restart_finds_it(unique):
    server = harness.Server().start()
    try:
        name = unique('kept')
        server.client('logs').create_log_group(logGroupName=name)
        key = server.access_key
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
        server.start()
        assert server.access_key == key
        assert [g['logGroupName'] for g in server.client('logs').describe_log_groups()['logGroups']] == [name]
    finally:
        server.stop()
        server.remove()


def test_services_that_are_not_here_say_so(server):
    s3 = server.client('s3')
    with pytest.raises(Exception) as e:
        s3.list_buckets()
    assert e.value.response['ResponseMetadata']['HTTPStatusCode'] == 501
    answer = http('GET', server.url + '/')
    assert answer.status == 403 and 'Missing Authentication Token' in answer.text


def test_a_browser_is_told_what_this_is(server):
    browser = {'Accept': 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'}
    page = http('GET', server.url + '/', headers=browser)
    assert page.status == 200 and page.headers['Content-Type'] == 'text/html; charset=utf-8'
    for link in re.findall('href="([^"]*)"', page.text):
        assert http('GET', server.url + link).status == 200, link
    assert 'cloudless env' in page.text and '/_cloudless/health' in page.text and '/_cloudless/metrics' in page.text
    # Whoever signs, posts, asks for something or does not want HTML is no browser.
    for method, path, headers in [('GET', '/', {}), ('GET', '/', {'Accept': '*/*'}), ('POST', '/', browser), ('GET', '/?Action=ListUsers', browser),
                                  ('GET', '/', {**browser, 'Authorization': 'AWS4-HMAC-SHA256 nothing'}), ('GET', '/x', browser),
                                  ('GET', '/', {**browser, 'X-Amz-Target': 'DynamoDB_20120810.ListTables'})]:
        answer = http(method, server.url + path, headers=headers)
        assert answer.status >= 400 and 'html' not in answer.headers.get('Content-Type', ''), (method, path, headers)
