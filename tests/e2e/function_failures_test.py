"""The applications when DynamoDB fails, and when their configuration lacks something. Outside the sandbox, which would reach no server of
ours: those in C with `cloudless run`, those in Python by a call of their handler."""
import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading

import jwt
import pytest

import harness

TABLE = 'of-these-tests'
SECRET = 'a secret of the tests, long enough for HS256'
ENVIRONMENT = {'TABLE_NAME': TABLE, 'JWT_SECRET': SECRET, 'AWS_REGION': harness.REGION, 'AWS_DEFAULT_REGION': harness.REGION,
               'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'none'}
# What each reads one item with.
REQUESTS = {
    'todo': ['--path', '/todos/1', '--resource', '/todos/{id}'],
    'items': ['--path', '/items/1', '--resource', '/items/{id}', '--header', 'Authorization: Bearer ' + jwt.encode({'sub': 'ada', 'exp': 4102444800}, SECRET)],
    'orders': ['--path', '/orders/1', '--resource', '/{proxy+}'],
}
APPLICATIONS = [('c', 'todo'), ('c', 'items'), ('c', 'orders'), ('python', 'todo'), ('python', 'items')]
CALL = """
import app, json, sys, types
print(json.dumps(app.handler(json.load(sys.stdin), types.SimpleNamespace(aws_request_id='1'))))
"""


def run(language, name, without=None, endpoint=None):
    """One request to the application. In C it has two seconds for it."""
    event = subprocess.run([harness.BINARY, 'event', 'apigw-proxy', *REQUESTS[name]], capture_output=True, text=True, check=True).stdout
    program = {'c': [harness.BINARY, 'run', '--timeout', '2', harness.bootstrap(name)],
               'python': [sys.executable, '-B', '-c', CALL]}[language]
    env = {k: v for k, v in {**os.environ, **ENVIRONMENT, 'AWS_ENDPOINT_URL': endpoint}.items() if v is not None and k != without}
    return subprocess.run(program, input=event, capture_output=True, text=True, timeout=60, env=env, cwd=os.path.join(harness.ROOT, 'examples', name))


def said(done):
    """The lines that the function wrote, without the words of `cloudless run`."""
    return [line for line in done.stderr.splitlines() if not line.startswith('cloudless: ')]


class Scripted(http.server.BaseHTTPRequestHandler):
    """DynamoDB as `server.script` has it: called with the handler for each request."""
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        self.server.asked.append(self.headers['X-Amz-Target'])
        self.server.script(self)

    def answer(self, status, body):
        self.send_response(status)
        self.send_header('Content-Type', 'application/x-amz-json-1.0')
        self.send_header('Content-Length', len(body))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def dynamodb(script):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Scripted)
    server.script, server.asked, server.over = script, [], threading.Event()
    threading.Thread(target=server.serve_forever).start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


def error(status, name):
    body = json.dumps({'__type': 'com.amazonaws.dynamodb.v20120810#' + name, 'message': 'not now'}).encode()
    return lambda handler: handler.answer(status, body)


def no_http(handler):
    handler.wfile.write(b'garbage\r\n\r\n')
    handler.close_connection = True


def hang_up(handler):
    handler.close_connection = True


def stay_silent(handler):
    handler.server.over.wait()
    handler.close_connection = True


# how DynamoDB fails -> whether the call is made again, and what the log says beside its name
SCRIPTS = {
    'throttling': (error(400, 'ThrottlingException'), True, 'ThrottlingException'),
    'throughput exceeded': (error(400, 'ProvisionedThroughputExceededException'), True, 'ProvisionedThroughputExceededException'),
    'an error of its own': (error(500, 'InternalServerError'), True, 'InternalServerError'),
    'unavailable': (lambda handler: handler.answer(503, b''), True, '503'),
    'access denied': (error(400, 'AccessDeniedException'), False, 'AccessDeniedException'),
    'no JSON': (lambda handler: handler.answer(200, b'garbage'), False, ''),
    'no HTTP': (no_http, False, ''),
    'hangs up': (hang_up, True, ''),
    'silent': (stay_silent, False, ''),
}


def failure_is_said(done, what):
    answer = json.loads(done.stdout)
    assert done.returncode == 0 and (answer['statusCode'], json.loads(answer['body'])) == (500, {'error': 'Internal server error'})
    errors = [line['message'] for line in map(json.loads, said(done)) if line['level'] == 'ERROR']
    assert len(errors) == 1 and errors[0].startswith(f'GetItem on {TABLE}: ') and what in errors[0]


# botocore takes any text for an answer without members.
@pytest.mark.parametrize('language, name, how', [(*application, how) for application in APPLICATIONS for how in SCRIPTS if (application[0], how) != ('python', 'no JSON')])
def test_dynamodb_fails(language, name, how):
    script, again, what = SCRIPTS[how]
    with dynamodb(script) as server:
        done = run(language, name, endpoint=f'http://127.0.0.1:{server.server_port}')
    failure_is_said(done, what)
    assert set(server.asked) == {'DynamoDB_20120810.GetItem'}
    assert len(server.asked) > 1 or not again


@pytest.mark.parametrize('language, name', APPLICATIONS)
def test_dynamodb_is_not_there(language, name):
    failure_is_said(run(language, name, endpoint=f'http://127.0.0.1:{harness.free_port()}'), 'connect')


@pytest.mark.parametrize('name, variable', [
    *((name, variable) for name in REQUESTS for variable in ('TABLE_NAME', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY')), ('items', 'JWT_SECRET'),
])
def test_a_missing_variable_is_named_in_one_line(name, variable):
    done = run('c', name, without=variable)
    assert done.returncode != 0 and done.stdout == ''
    line, = map(json.loads, said(done))
    assert line['level'] == 'FATAL' and variable in line['message']


@pytest.mark.parametrize('name, variable', [('todo', 'TABLE_NAME'), ('items', 'TABLE_NAME'), ('items', 'JWT_SECRET')])
def test_a_missing_variable_is_named_in_python_too(name, variable):
    done = run('python', name, without=variable)
    assert done.returncode != 0 and done.stdout == ''
    line, = said(done)
    assert variable in line
