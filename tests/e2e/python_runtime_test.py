"""The Python runtime's transport (src/runtimes/cloudless_runtime.py) against its reference, awslambdaric's own client: the same
functions and events, run on both as plain processes against a scripted Runtime API, must answer and log the same bytes.
For every runtime tree under build/runtimes whose interpreter is found."""
import contextlib
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest

pytestmark = pytest.mark.plain

RUNTIMES = os.path.join(os.path.dirname(__file__), '..', '..', 'build', 'runtimes')
API = '/2018-06-01/runtime/'
ARN = 'arn:aws:lambda:us-east-1:123456789012:function:f'


def interpreters():
    for tree in sorted(glob.glob(os.path.join(RUNTIMES, 'python3.*'))):
        name = os.path.basename(tree)
        found = glob.glob(os.path.expanduser('~/.pyenv/versions/%s.*/bin/%s' % (name[6:], name))) or [shutil.which(name)]
        if os.path.isfile(tree + '/bootstrap.py') and found[0]:
            yield pytest.param((os.path.abspath(tree), found[0]), id=name)


class ScriptedApi(threading.Thread):
    """Hands out the events one by one, keeps every POST; with no event left a GET waits, and `over` is set."""

    def __init__(self, events):
        super().__init__(daemon=True)
        self.events, self.posts, self.over = list(events), [], threading.Event()
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.address = '127.0.0.1:%d' % self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile('rb') as stream:
            while True:
                line = stream.readline()
                if not line:
                    return
                method, path, _ = line.decode().split(' ')
                headers = {}
                while (field := stream.readline().decode('latin-1').strip()):
                    name, _, value = field.partition(':')
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get('content-length', 0)))
                if method == 'GET':
                    if not self.events:
                        self.over.set()
                        with contextlib.suppress(ConnectionError):
                            connection.recv(1)
                        return
                    payload, more = self.events.pop(0)
                    fields = {'Content-Type': 'application/json', 'Lambda-Runtime-Aws-Request-Id': 'id-%d' % len(self.posts),
                              'Lambda-Runtime-Deadline-Ms': '4000000000000', 'Lambda-Runtime-Invoked-Function-Arn': ARN,
                              'Lambda-Runtime-Trace-Id': 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700', **more}
                    head = ''.join('%s: %s\r\n' % field for field in fields.items())
                    connection.sendall(('HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n' % (head, len(payload))).encode() + payload)
                else:
                    self.posts.append((path, headers.get('lambda-runtime-function-error-type'), body))
                    connection.sendall(b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n')


def run(runtime, task, handler, events, native, **variables):
    tree, python = runtime
    api = ScriptedApi(events)
    env = {'AWS_LAMBDA_RUNTIME_API': api.address, '_HANDLER': handler, 'LAMBDA_TASK_ROOT': str(task), 'PYTHONDONTWRITEBYTECODE': '1',
           'AWS_EXECUTION_ENV': 'AWS_Lambda_' + os.path.basename(tree), 'AWS_LAMBDA_FUNCTION_NAME': 'f', 'AWS_LAMBDA_FUNCTION_VERSION': '$LATEST',
           'AWS_LAMBDA_FUNCTION_MEMORY_SIZE': '128', 'AWS_LAMBDA_LOG_GROUP_NAME': '/aws/lambda/f', 'AWS_LAMBDA_LOG_STREAM_NAME': 's', 'PATH': os.environ['PATH'],
           **variables}
    if native:
        env['NATIVE_CLIENT'] = '1'
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([python, '-S', tree + '/bootstrap.py'], env=env, cwd=task, stdout=log, stderr=subprocess.STDOUT)
        threading.Thread(target=lambda: (api.over.wait(60), process.kill()), daemon=True).start()
        process.wait(70)
        api.over.set()
        api.listener.close()
        log.seek(0)
        output = re.sub(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z', b'TIME', log.read())
    return api.posts, output


FUNCTION = '''
import json, logging, os, sys, threading
from decimal import Decimal
log = logging.getLogger()
log.setLevel(logging.INFO)
print('initialised')

class Odd(Exception):
    pass

def handler(event, context):
    what = event.get('what') if isinstance(event, dict) else None
    print('printed', what)
    print('to stderr', file=sys.stderr)
    log.info('logged %s', what)
    log.warning('two\\nlines')
    if what == 'context':
        return {name: getattr(context, name) for name in ('aws_request_id', 'log_group_name', 'log_stream_name', 'function_name',
                'memory_limit_in_mb', 'function_version', 'invoked_function_arn')} | {'left': context.get_remaining_time_in_millis() > 1000,
                'identity': str(context.identity), 'client': str(context.client_context), 'trace': os.environ['_X_AMZN_TRACE_ID']} \\
            if sys.version_info >= (3, 9) else None
    if what == 'raise':
        raise Odd('a \\u00fc message "quoted"')
    if what == 'key':
        return event['missing']
    if what == 'deep':
        return json.loads('{')
    if what == 'marshal':
        return {1, 2}
    if what == 'bytes':
        return b'raw \\xff'
    if what == 'decimal':
        return {'n': Decimal('1.50'), 'u': '\\u20ac', 'nan': Decimal('NaN')}
    if what == 'large':
        return 'x' * 3000000
    if what == 'none':
        return None
    if what == 'threads':
        thread = threading.Thread(target=print, args=('from a thread',)); thread.start(); thread.join()
        return 'joined'
    return event
'''
EVENTS = [(json.dumps({'what': what}).encode(), {}) for what in
          ('context', 'raise', 'key', 'deep', 'marshal', 'bytes', 'decimal', 'large', 'none', 'threads')] + [
    (b'"text"', {}), (b'[1, 2.50, "\xc3\xbc"]', {}), (b'null', {}), (b'', {}), (b'not json', {}),
    (json.dumps({'big': 'y' * 500000}).encode(), {}),
    (b'{"what": "context"}', {'Lambda-Runtime-Client-Context': '{"client":{"app_title":"t\u00fc"},"custom":{"k":"v"},"env":{"e":"1"}}',
                              'Lambda-Runtime-Cognito-Identity': '{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}'}),
    (b'{}', {'Lambda-Runtime-Client-Context': 'not json'}),
]


def sensible(posts):
    """The reference posts; on it the shape of an answer is checked, so that equality means something."""
    kinds = [path.rsplit('/', 1)[1] for path, _, _ in posts]
    assert kinds == ['response'] + ['error'] * 4 + ['response'] * 8 + ['error'] * 2 + ['response'] * 2 + ['error']
    error = json.loads(posts[1][2])
    assert error['errorType'] == 'Odd' and error['requestId'] == 'id-1' and '/app.py' in error['stackTrace'][0]
    assert json.loads(posts[4][2])['errorType'] == 'Runtime.MarshalError'


@pytest.mark.parametrize('runtime', interpreters())
def test_transport_behaves_as_awslambdaric(runtime, tmp_path):
    (tmp_path / 'app.py').write_text(FUNCTION)
    reference, reference_output = run(runtime, tmp_path, 'app.handler', EVENTS, True)
    posts, output = run(runtime, tmp_path, 'app.handler', EVENTS, False)
    assert len(reference) == len(EVENTS)
    sensible(reference)
    for one, other in zip(posts, reference):
        assert one == other
    assert output == reference_output
    assert b'[INFO]\tTIME\tid-1\tlogged raise\n' in output
    assert b'two\nlines\n' in output             # without a log channel, to stdout
    assert b'[ERROR] Odd: a \xc3\xbc message "quoted"\rTraceback (most recent call last):' in output


BROKEN = [
    ('nothing.handler', '', 'Runtime.ImportModuleError', "Unable to import module 'nothing': No module named 'nothing'"),
    ('app.missing', 'x = 1', 'Runtime.HandlerNotFound', "Handler 'missing' missing on module 'app'"),
    ('app.handler', 'def handler(:\n', 'Runtime.UserCodeSyntaxError', "Syntax error in module 'app'"),
    ('app.handler', 'import no_such_package', 'Runtime.ImportModuleError', "No module named 'no_such_package'"),
    ('app.handler', 'raise KeyError("k")', 'KeyError', "'k'"),
    ('handler', '', 'Runtime.MalformedHandlerName', "Bad handler 'handler'"),
]


@pytest.mark.parametrize('handler, code, error_type, message', BROKEN)
@pytest.mark.parametrize('runtime', interpreters())
def test_init_errors_as_awslambdaric(runtime, tmp_path, handler, code, error_type, message):
    (tmp_path / 'app.py').write_text(code)
    reference = run(runtime, tmp_path, handler, [], True)
    assert run(runtime, tmp_path, handler, [], False) == reference
    (path, header, body), = reference[0]
    assert path == API + 'init/error' and header == error_type
    assert json.loads(body)['errorType'] == error_type and message in json.loads(body)['errorMessage']


@pytest.mark.parametrize('runtime', interpreters())
def test_search_path_and_names(runtime, tmp_path):
    (tmp_path / 'app.py').write_text('import sys, boto3, botocore\n'
                                     'def handler(event, context):\n'
                                     '    return [sys.path, boto3.__file__, callable(exit)]\n')
    posts, _ = run(runtime, tmp_path, 'app.handler', [(b'{}', {})], False)
    path, boto3, names = json.loads(posts[0][2])
    version = os.path.basename(runtime[0])
    assert path[:4] == [str(tmp_path), '/opt/python/lib/%s/site-packages' % version, '/opt/python', runtime[0]]
    assert not [p for p in path if p.endswith('dist-packages')]
    assert boto3.startswith(runtime[0]) and names
