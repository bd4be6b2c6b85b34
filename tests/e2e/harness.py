"""A server under test and its clients: starts the built program on a free port with a data directory of its own."""
import contextlib
import glob
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
import zipfile

import boto3
from botocore.config import Config

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get('CLOUDLESS_BIN', os.path.join(ROOT, 'build', 'cloudless'))
RUNTIMES = os.path.join(ROOT, 'build', 'runtimes')
# Projects of `cloudless new` link with the ordinary library: a sanitizer's needs the sanitizer in the project, too.
PROJECT_ENV = {'CLOUDLESS': os.path.join(ROOT, 'build')}
READY_SECONDS = 60              # a bound for a broken start under a sanitizer, not an expectation
ACCOUNT = '000000000000'
REGION = 'us-east-1'
LAMBDA_TRUST = json.dumps({'Version': '2012-10-17', 'Statement': [
    {'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]})
LOGS_POLICY = 'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Server:
    """One `cloudless serve`. Its log is kept in memory for failing tests; `data` survives stop() until remove()."""

    def __init__(self, data=None, port=None, args=(), env=None, under=()):
        self.data = data or tempfile.mkdtemp(prefix='cloudless-test-')
        self.port = port or free_port()
        self.url = f'http://127.0.0.1:{self.port}'
        self.args, self.env, self.under = list(args), env or {}, under       # under: a command that runs it, prlimit
        self.process = None
        self.log = []

    def start(self):
        # Beside a sanitizer build the runtime trees lie elsewhere: the program looks in ../share or its own folder.
        beside = os.path.join(os.path.dirname(BINARY), 'runtimes')
        if not os.path.exists(beside) and os.path.isdir(RUNTIMES):
            os.symlink(RUNTIMES, beside)
        self.process = subprocess.Popen(
            [*self.under, BINARY, 'serve', '--data', self.data, '--listen', f'127.0.0.1:{self.port}', *self.args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **self.env})
        reader = self.reader = threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True)
        reader.start()
        watchdog = threading.Timer(READY_SECONDS, self.process.kill)
        watchdog.start()
        self.ready_line = self.process.stdout.readline()
        watchdog.cancel()
        if not self.ready_line:
            self.process.wait()
            reader.join(5)
            raise RuntimeError(f'the server ended with {self.process.returncode}:\n' + ''.join(self.log[-50:]))
        text = open(os.path.join(self.data, 'credentials')).read()
        self.access_key = re.search(r'aws_access_key_id = (\S+)', text).group(1)
        self.secret_key = re.search(r'aws_secret_access_key = (\S+)', text).group(1)
        return self

    def _read_log(self, stream):
        for line in stream:
            self.log.append(line)

    def stop(self):
        """SIGTERM; the exit status must be 0 (a sanitizer's report makes it another)."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=90)
        self.process = None
        assert status == 0, f'exit status {status}:\n' + ''.join(self.log[-80:])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def remove(self):
        shutil.rmtree(self.data, ignore_errors=True)

    def watch(self):
        return Watch(self.port)

    def client(self, service, access_key=None, secret_key=None, token=None, region=REGION, **config):
        config = {'retries': {'max_attempts': 0}, 'read_timeout': 60, **config}
        return boto3.client(service, endpoint_url=self.url, region_name=region,
                            aws_access_key_id=access_key or self.access_key, aws_secret_access_key=secret_key or self.secret_key,
                            aws_session_token=token, config=Config(**config))

    def resource(self, service):
        return boto3.resource(service, endpoint_url=self.url, region_name=REGION,
                              aws_access_key_id=self.access_key, aws_secret_access_key=self.secret_key)

    def client_env(self):
        """Environment of a command line client."""
        return {**os.environ, 'AWS_ACCESS_KEY_ID': self.access_key, 'AWS_SECRET_ACCESS_KEY': self.secret_key,
                'AWS_DEFAULT_REGION': REGION, 'AWS_ENDPOINT_URL': self.url, 'AWS_PAGER': '', 'AWS_EC2_METADATA_DISABLED': 'true'}

    def cli(self, *words, check=True):
        """The AWS CLI, version 2 (Debian's), with its endpoint as an option: it is older than AWS_ENDPOINT_URL."""
        run = subprocess.run(['/usr/bin/aws', '--endpoint-url', self.url, *words], env=self.client_env(), capture_output=True, text=True)
        if check and run.returncode != 0:
            raise AssertionError(f'aws {" ".join(words)}: {run.stderr}')
        return run


class Watch:
    """While it is entered: asks every loop of a server again and again how it is. `worst`: the longest answer in seconds."""

    def __init__(self, port):
        self.port, self.worst, self.ended = port, 0, False

    def _ask(self, ready):
        with socket.create_connection(('127.0.0.1', self.port)) as s:
            while not self.ended:
                begin = time.monotonic()
                s.sendall(b'GET /_cloudless/health HTTP/1.1\r\nHost: x\r\n\r\n')
                s.recv(4096)
                if ready.is_set():
                    self.worst = max(self.worst, time.monotonic() - begin)
                ready.set()

    def __enter__(self):
        ready = [threading.Event() for _ in range(2 * os.cpu_count())]     # connections go to the loops in turn
        self.threads = [threading.Thread(target=self._ask, args=(event,)) for event in ready]
        for thread, event in zip(self.threads, ready):
            thread.start()
            event.wait(10)
        self.begin = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = time.monotonic() - self.begin
        self.ended = True
        for thread in self.threads:
            thread.join()


@contextlib.contextmanager
def running(**how):
    """A server for the time of the block; that it ends with status 0 belongs to what is tested."""
    server = Server(**how).start()
    yield server
    try:
        server.stop()
    finally:
        server.remove()


def bootstrap(example):
    """An application in C, built as the program under test: with its sanitizers, if it has some."""
    return os.path.join(os.path.dirname(BINARY), 'examples', example, 'bootstrap')


def executable(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


def http(method, url, body=None, headers=None, timeout=60):
    """A plain request; error statuses are answers, not exceptions."""
    data = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as r:
            return Answer(r.status, r.headers, r.read())
    except urllib.error.HTTPError as e:
        return Answer(e.code, e.headers, e.read())


def processes(*words):
    """How many processes of this machine have exactly these words as their command line."""
    wanted, count = b''.join(w.encode() + b'\0' for w in words), 0
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        with contextlib.suppress(OSError), open(path, 'rb') as f:
            count += f.read() == wanted
    return count


def zip_of(files):
    """Zip bytes of {name: text or bytes}; a tuple (content, mode) sets the permission bits."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.external_attr = (0o100000 | mode) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            z.writestr(info, content)
    return out.getvalue()


def function_archive():
    """The library for functions in C, made."""
    path = os.path.join('build', 'lib', 'libcloudless-function.a')
    env = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL')}
    subprocess.run(['make', '--no-print-directory', path], cwd=ROOT, env=env, check=True, capture_output=True)
    return os.path.join(ROOT, path)


def make_role(server, name, *, policies=(), inline=None, trust=LAMBDA_TRUST):
    """A role that Lambda may assume, with attached policy ARNs and one inline policy document; made once."""
    iam = server.client('iam')
    try:
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)['Role']['Arn']
    except iam.exceptions.EntityAlreadyExistsException:
        arn = iam.get_role(RoleName=name)['Role']['Arn']
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    if inline:
        iam.put_role_policy(RoleName=name, PolicyName='inline', PolicyDocument=json.dumps(inline))
    return arn


def deploy_function(server, name, code, *, handler='app.handler', runtime='python3.11', role=None, permission=False, files=None, **more):
    """CreateFunction from one Python text (app.py) or from `files`; returns the ARN. permission: API Gateway may invoke it."""
    role = role or make_role(server, 'test-logs-role', policies=[LOGS_POLICY])
    function = server.client('lambda')
    arn = function.create_function(FunctionName=name, Runtime=runtime, Handler=handler, Role=role,
                                   Code={'ZipFile': zip_of(files or {'app.py': code})}, **more)['FunctionArn']
    if permission:
        function.add_permission(FunctionName=name, StatementId='apigateway', Action='lambda:InvokeFunction', Principal='apigateway.amazonaws.com')
    return arn


def until(condition, why='', seconds=20):
    """Waits for a condition of another process; the bound is for a broken product, not an expectation."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)
