"""HTTPS on the port of HTTP: the authority of the data directory through real clients, certificates of the command line, what is
spoken and what is not, and what connections cost."""
import datetime
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

import harness
from harness import ACCOUNT, BINARY, REGION

TRUSTED_DIR = '/usr/local/share/ca-certificates'


def authority(server):
    return os.path.join(server.data, 'tls', 'ca.pem')


def secure_client(server, service, **more):
    more = {'aws_access_key_id': server.access_key, 'aws_secret_access_key': server.secret_key, 'verify': authority(server), **more}
    return boto3.client(service, endpoint_url=f'https://127.0.0.1:{server.port}', region_name=REGION,
                        config=Config(retries={'max_attempts': 0}), **more)


def curl(server, url, *words):
    run = subprocess.run(['curl', '-sS', '--cacert', authority(server), *words, url.format(port=server.port)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def run_program(*words, **more):
    return subprocess.run([BINARY, *words], capture_output=True, text=True, timeout=60, **more)


# ---- the authority of the data directory ----

@pytest.mark.smoke
def test_boto3_verifies_and_both_share_the_port(server, client, unique):
    table = unique('table')
    secure_client(server, 'dynamodb').create_table(
        TableName=table, BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'pk', 'KeyType': 'HASH'}],
        AttributeDefinitions=[{'AttributeName': 'pk', 'AttributeType': 'S'}])
    item = {'pk': {'S': 'a'}, 'text': {'S': 'x' * 100_000}}
    secure_client(server, 'dynamodb').put_item(TableName=table, Item=item)
    assert client('dynamodb').get_item(TableName=table, Key={'pk': {'S': 'a'}})['Item'] == item
    assert secure_client(server, 'dynamodb').get_item(TableName=table, Key={'pk': {'S': 'a'}})['Item'] == item


def test_who_does_not_know_the_authority_refuses(server):
    with pytest.raises(botocore.exceptions.SSLError):
        secure_client(server, 'sts', verify=True).get_caller_identity()


def test_names(server):
    for host in ('localhost', '127.0.0.1', 'x.execute-api.us-east-1.localhost', 'x.execute-api.eu-central-1.localhost'):
        curl(server, f'https://{host}:{{port}}/_cloudless/health')
    context = ssl.create_default_context(cafile=authority(server))
    with socket.create_connection(('127.0.0.1', server.port)) as plain:
        with pytest.raises(ssl.SSLCertVerificationError):
            context.wrap_socket(plain, server_hostname='example.com')


def test_env_serves_every_client(server):
    """What `cloudless env --https` prints is all that the AWS CLI needs."""
    printed = run_program('env', '--https', '--data', server.data)
    assert printed.returncode == 0, printed.stderr
    assert f"AWS_ENDPOINT_URL='https://127.0.0.1:{server.port}'" in printed.stdout
    # Debian's command line client is older than AWS_ENDPOINT_URL.
    shell = 'eval "$EXPORTS"; /usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL" sts get-caller-identity'
    run = subprocess.run(['sh', '-c', shell], env={**os.environ, 'EXPORTS': printed.stdout}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)['Account'] == ACCOUNT
    plain = run_program('env', '--data', server.data).stdout
    assert f"AWS_ENDPOINT_URL='http://127.0.0.1:{server.port}'" in plain and 'CA_BUNDLE' not in plain


def test_paths_are_quoted():
    data = os.path.join(harness.tempfile.mkdtemp(), "it's")
    server = harness.Server(data=data).start()
    try:
        exports = run_program('env', '--https', '--data', data).stdout
        shown = subprocess.run(['sh', '-c', 'eval "$EXPORTS"; printenv AWS_CA_BUNDLE'], env={'EXPORTS': exports}, capture_output=True, text=True)
        assert os.path.samefile(shown.stdout.strip(), authority(server))
    finally:
        server.stop()
        shutil.rmtree(os.path.dirname(data))


def test_authority_stays(server):
    """Clients that trust it go on after a restart; keys are for the server's user alone."""
    with harness.running() as other:
        text = open(authority(other)).read()
        for name in ('ca.key', 'localhost.key'):
            assert os.stat(os.path.join(other.data, 'tls', name)).st_mode & 0o777 == 0o600
        other.stop()
        other.start()
        assert open(authority(other)).read() == text
        assert secure_client(other, 'sts').get_caller_identity()['Account'] == ACCOUNT
        assert open(authority(server)).read() != text


def test_no_place_for_the_authority():
    """Then plain text is served, and the log and `env` say why."""
    data = harness.tempfile.mkdtemp()
    with open(os.path.join(data, 'tls'), 'w'):
        pass
    server = harness.Server(data=data).start()
    try:
        assert harness.http('GET', f'{server.url}/_cloudless/health').status == 200
        assert any('tls.local_failed' in line for line in server.log)
        run = run_program('env', '--https', '--data', data)
        assert run.returncode == 1 and 'has no certificate' in run.stderr
    finally:
        server.stop()
        shutil.rmtree(data)


def test_policies_see_how_it_came(server, client, unique):
    name, iam = unique('user'), client('iam')
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)['AccessKey']
    deny = {'Effect': 'Deny', 'Action': '*', 'Resource': '*', 'Condition': {'Bool': {'aws:SecureTransport': 'false'}}}
    allow = {'Effect': 'Allow', 'Action': 'dynamodb:ListTables', 'Resource': '*'}
    iam.put_user_policy(UserName=name, PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [allow, deny]}))
    keys = {'aws_access_key_id': key['AccessKeyId'], 'aws_secret_access_key': key['SecretAccessKey']}
    secure_client(server, 'dynamodb', **keys).list_tables()
    with pytest.raises(botocore.exceptions.ClientError) as e:
        server.client('dynamodb', access_key=key['AccessKeyId'], secret_key=key['SecretAccessKey']).list_tables()
    assert e.value.response['Error']['Code'] == 'AccessDeniedException'


def test_packages_are_fetched_as_they_were_asked_for(server, unique):
    name = unique('function')
    harness.deploy_function(server, name, 'def handler(event, context):\n    pass\n')
    url = secure_client(server, 'lambda').get_function(FunctionName=name)['Code']['Location']
    assert url.startswith(f'https://127.0.0.1:{server.port}/')
    assert curl(server, url.replace('{', '{{'), '-o', os.devnull, '-w', '%{http_code}') == '200'


# ---- the system's store ----

def in_own_store(command, *data):
    """Runs a shell in which the system's store of trusted authorities is a copy."""
    parts = ['set -e', f'mkdir -p {TRUSTED_DIR}',
             'mount -t tmpfs none /mnt', 'mkdir /mnt/local /mnt/certs', 'cp -a /etc/ssl/certs/. /mnt/certs',
             f'mount --bind /mnt/local {TRUSTED_DIR}', 'mount --bind /mnt/certs /etc/ssl/certs', command]
    return subprocess.run(['unshare', '-rm', 'sh', '-c', '\n'.join(parts), 'sh', *data], capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not shutil.which('update-ca-certificates'), reason='the system has another store')
def test_trust_and_undo(server):
    command = f'''
        url=https://localhost:{server.port}/_cloudless/health
        curl -sS $url && exit 9
        {BINARY} trust --data "$1"
        curl -sS $url
        {BINARY} trust --undo --data "$1"
        curl -sS $url && exit 9
        ls -A {TRUSTED_DIR}
        {BINARY} trust --undo --data "$1"'''
    run = in_own_store(command, server.data)
    if 'Operation not permitted' in run.stderr:
        pytest.skip('namespaces are not to be had')
    assert run.returncode == 1, run.stderr      # of the last line
    assert 'is not in the system\'s store' in run.stderr
    assert 'Trusted by this system for localhost only' in run.stdout and '"status":"ready"' in run.stdout
    assert 'To take it out: sudo cloudless trust --undo' in run.stdout and 'Not trusted any more' in run.stdout


def test_trust_without_an_authority(tmp_path):
    run = run_program('trust', '--data', str(tmp_path))
    assert run.returncode == 1 and 'no authority to be read' in run.stderr


# ---- certificates of the command line ----

def make_certificate(folder, name, names, serial):
    cert, key = os.path.join(folder, f'{name}.pem'), os.path.join(folder, f'{name}.key')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-set_serial', str(serial),
                    '-subj', f'/CN={name}', '-addext', f'subjectAltName={names}', '-out', cert, '-keyout', key + '.new'], check=True, capture_output=True)
    os.rename(key + '.new', key)
    return cert, key


def serial_shown(port, name):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(('127.0.0.1', port)) as plain, context.wrap_socket(plain, server_hostname=name) as secure:
        der = secure.getpeercert(binary_form=True)
    run = subprocess.run(['openssl', 'x509', '-inform', 'der', '-noout', '-serial'], input=der, capture_output=True, check=True)
    return int(run.stdout.decode().strip().split('=')[1], 16)


def test_own_certificates(tmp_path):
    """By name; changed ones without a restart; local names keep theirs; every address may be served."""
    first = make_certificate(tmp_path, 'first', 'DNS:first.example', 1)
    second = make_certificate(tmp_path, 'second', 'DNS:second.example', 2)
    args = ['--tls-cert', first[0], '--tls-key', first[1], '--tls-cert', second[0], '--tls-key', second[1]]
    port = harness.free_port()
    with harness.running(args=[*args, '--listen', f'0.0.0.0:{port}']) as server:
        assert serial_shown(port, 'second.example') == 2
        assert serial_shown(port, 'other.example') == serial_shown(port, 'first.example') == 1
        curl(server, 'https://localhost:{port}/_cloudless/health')
        assert harness.http('GET', f'http://127.0.0.1:{port}/_cloudless/health').status == 200
        make_certificate(tmp_path, 'second', 'DNS:second.example', 3)
        harness.until(lambda: serial_shown(port, 'second.example') == 3)
        with open(second[0], 'w') as f:
            f.write('nothing')
        harness.until(lambda: serial_shown(port, 'second.example') == 3 and any('tls.reload_failed' in line for line in server.log))
        assert serial_shown(port, 'second.example') == 3


def outside_address():
    """An address of this machine that is not loopback's; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(('192.0.2.1', 9))
        except OSError:
            return None
        return s.getsockname()[0]


@pytest.mark.skipif(not outside_address(), reason='this machine has no address but loopback')
@pytest.mark.parametrize('args, status', [([], 400), (['--plain-http'], 200)])
def test_plain_text_from_other_machines(tmp_path, args, status):
    cert, key = make_certificate(tmp_path, 'own', 'DNS:own.example', 1)
    port = harness.free_port()
    with harness.running(args=['--tls-cert', cert, '--tls-key', key, '--listen', f'{outside_address()}:{port}', *args]):
        answer = harness.http('GET', f'http://{outside_address()}:{port}/_cloudless/health')
        assert answer.status == status
        assert (status == 400) == ('Use https://' in answer.text)
        metrics = ['curl', '-sSk', '-o', '/dev/null', '-w', '%{http_code}', f'https://{outside_address()}:{port}/_cloudless/metrics']
        assert subprocess.run(metrics, capture_output=True, text=True).stdout == '403'       # they are for this machine


@pytest.mark.parametrize('args, status, words', [
    (['--listen', '0.0.0.0:4566'], 2, '--tls-cert FILE --tls-key FILE'),
    (['--tls-cert', 'a'], 2, 'go in pairs; there are 1 and 0'),
    (['--tls-cert', '/nowhere', '--tls-key', '/nowhere'], 1, '/nowhere: No such file'),
    (['--plain-http=yes'], 2, 'it takes no value'),
])
def test_wrong_usage(tmp_path, args, status, words):
    run = run_program('serve', '--data', str(tmp_path / 'data'), *(args if '--listen' in args else ['--listen', f'127.0.0.1:{harness.free_port()}', *args]))
    assert run.returncode == status and words in run.stderr, run.stderr


@pytest.mark.skipif(not outside_address(), reason='this machine has no address but loopback')
def test_the_url_is_one_that_is_served(tmp_path):
    """Where plain text would be refused, https is what the server and `cloudless env` name."""
    cert, key = make_certificate(tmp_path, 'own', 'DNS:own.example', 1)
    address = f'{outside_address()}:{harness.free_port()}'
    command = [BINARY, 'serve', '--data', str(tmp_path / 'data'), '--listen', address, '--tls-cert', cert, '--tls-key', key]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert f'ready at https://{address} ' in process.stdout.readline()
        assert f"AWS_ENDPOINT_URL='https://{address}'" in run_program('env', '--data', str(tmp_path / 'data')).stdout
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


# ---- what is spoken ----

def s_client(server, *words, text=''):
    return subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port}', '-CAfile', authority(server), *words], input=text,
                          capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize('words, fine', [
    (['-tls1_3'], True), (['-tls1_2'], True),
    (['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'], False), (['-tls1', '-cipher', 'ALL:@SECLEVEL=0'], False),
    (['-tls1_2', '-cipher', 'ECDHE'], True), (['-tls1_2', '-cipher', 'AES128-SHA:@SECLEVEL=0'], False),
    (['-tls1_2', '-cipher', 'kRSA:@SECLEVEL=0'], False), (['-tls1_2', '-cipher', 'SHA1:@SECLEVEL=0'], False),
    (['-tls1_2', '-cipher', 'SHA256:SHA384:@SECLEVEL=0'], False), (['-tls1_2', '-cipher', '3DES:eNULL:aNULL:@SECLEVEL=0'], False),
    (['-tls1_2', '-cipher', 'DHE:@SECLEVEL=0'], False),
    (['-tls1_3', '-curves', 'P-256'], True), (['-tls1_3', '-curves', 'P-521'], False),
    (['-tls1_3', '-alpn', 'http/1.1'], True), (['-tls1_3', '-alpn', 'spdy/1'], False),
])
def test_versions_and_suites(server, words, fine):
    run = s_client(server, *words)
    made = re.search(r'Cipher is (\S+)', run.stdout)
    assert (made is not None and made[1] != '(NONE)') == fine, run.stdout + run.stderr
    if fine:
        assert 'Verify return code: 0 (ok)' in run.stdout or 'Verification: OK' in run.stdout


def test_neither_renegotiation_nor_compression_nor_early_data(server):
    run = s_client(server, '-tls1_2', text='R\n')
    assert 'Secure Renegotiation IS supported' in run.stdout and 'Compression: NONE' in run.stdout
    assert 'no renegotiation' in run.stderr, run.stderr
    # What s_client would send before the handshake has ended is not taken.
    assert 'Early data was not sent' in s_client(server, '-tls1_3').stdout


def test_garbage_and_halves_leave_the_server_well(server):
    hello = bytes.fromhex('16030100050100000100')
    for bytes_ in (b'\x16', b'\x16\x03\x01\x40\x00' + b'\x01' * 100, hello, b'\x16\x03\x01\xff\xff' + os.urandom(70000), b'\x15\x03\x01\x00\x02\x02\x28', b'\x00'):
        with socket.create_connection(('127.0.0.1', server.port)) as s:
            try:
                s.sendall(bytes_)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:     # it was quicker to hang up
                pass
    curl(server, 'https://localhost:{port}/_cloudless/health')


# ---- what connections cost ----

@pytest.mark.plain
@pytest.mark.skipif('san-' in BINARY, reason='figures of a sanitizer build say nothing')
@pytest.mark.parametrize('secure, kib_max', [(False, 10), (True, 40)])
def test_memory_of_idle_connections(secure, kib_max):
    count = 400
    request = b'GET /_cloudless/health HTTP/1.1\r\nHost: localhost\r\n\r\n'
    with harness.running() as server:
        context = ssl.create_default_context(cafile=authority(server))

        def connect():
            s = socket.create_connection(('127.0.0.1', server.port))
            if secure:
                s = context.wrap_socket(s, server_hostname='localhost')
            s.sendall(request)
            assert s.recv(4096).startswith(b'HTTP/1.1 200')
            return s

        def memory():
            return int(re.search(r'RssAnon:\s+(\d+) kB', open(f'/proc/{server.process.pid}/status').read())[1])

        open_ones = [connect() for _ in range(50)]       # what is kept however many there are
        before = memory()
        open_ones += [connect() for _ in range(count)]
        harness.until(lambda: (memory() - before) / count <= kib_max)        # buffers are given back when nothing moves
        for s in open_ones:
            s.close()
