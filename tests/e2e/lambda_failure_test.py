"""Functions that misbehave: programs that do not start, break the Runtime API's rules, hang, flood or leave children behind. Each is
answered with AWS's payload, and the server and the next invocation are none the worse."""
import json
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
from seen_test import metrics_of, value

ID = r'RequestId: [0-9a-f-]{36} Error: '
PRELUDE = '''#!/usr/bin/python3
import http.client, json, os, subprocess, sys, time
class Api:
    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    def __call__(self, method, path, body=None, headers={}):
        self.connection.request(method, '/2018-06-01/runtime/' + path, body, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()
    def next(self):
        status, headers, body = self('GET', 'invocation/next')
        return headers['Lambda-Runtime-Aws-Request-Id'], json.loads(body)
    def answer(self, id, value):
        return self('POST', 'invocation/%s/response' % id, json.dumps(value))
api = Api()
'''
SERVE = '''
while True:
    id, event = api.next()
    api.answer(id, handle(event))
'''


@pytest.fixture(scope='module')
def fn(client):
    return client('lambda')


def invoke(fn, name, payload=None, **more):
    answer = fn.invoke(FunctionName=name, Payload=json.dumps(payload if payload is not None else {}), **more)
    return answer.get('FunctionError'), json.loads(answer['Payload'].read())


@pytest.fixture
def deploy(deploy_function, unique):
    """deploy(program): a function whose bootstrap is that program; its name."""
    def make(program, mode=0o755, file='bootstrap', **more):
        name = unique('odd')
        deploy_function(name, None, runtime='provided.al2023', handler='any', files={file: (program, mode)}, **more)
        return name
    return make


@pytest.fixture(scope='module')
def bystander(fn, deploy_function):
    """A warm function beside the one that misbehaves; calling it says how long it took."""
    deploy_function('bystander', 'def handler(event, context):\n    return event\n', MemorySize=256)

    def call():
        began = time.monotonic()
        assert invoke(fn, 'bystander', 'well') == (None, 'well')
        return time.monotonic() - began
    call()
    return call


def failed(fn, name, error_type, message, payload=None):
    error, body = invoke(fn, name, payload)
    assert error == 'Unhandled' and body['errorType'] == error_type, body
    assert re.fullmatch(ID + message, body['errorMessage']), body


@pytest.mark.parametrize('program, mode, file, message', [
    ('#!/bin/sh\n', 0o755, 'other', r"Couldn't find valid bootstrap\(s\): \[/var/task/bootstrap /opt/bootstrap\]"),
    ('#!/bin/sh\n', 0o644, 'bootstrap', 'fork/exec /var/task/bootstrap: permission denied'),
    ('not a program', 0o755, 'bootstrap', 'fork/exec /var/task/bootstrap: exec format error'),
    ('#!/no/such/interpreter\n', 0o755, 'bootstrap', 'fork/exec /var/task/bootstrap: no such file or directory'),
    ('', 0o755, 'bootstrap/file', 'fork/exec /var/task/bootstrap: permission denied')],
    ids=['missing', 'not executable', 'no format', 'no interpreter', 'a folder'])
def test_a_program_that_cannot_start(fn, deploy, program, mode, file, message):
    name = deploy(program, mode, file)
    for _ in range(2):
        failed(fn, name, 'Runtime.InvalidEntrypoint', message)


@pytest.mark.parametrize('status, message', [(0, 'Runtime exited without providing a reason'), (5, 'Runtime exited with error: exit status 5')])
def test_a_program_that_ends_at_once(fn, deploy, bystander, status, message):
    name = deploy(f'#!/bin/sh\nexit {status}\n')
    for _ in range(20):                 # its end may be seen before its start is
        failed(fn, name, 'Runtime.ExitError', message)
    bystander()


def test_a_program_killed_by_a_signal(fn, deploy):
    failed(fn, deploy('#!/bin/sh\nkill -SEGV $$\n'), 'Runtime.ExitError', 'Runtime exited with error: signal: segmentation fault')


def test_out_of_memory(fn, deploy_function, unique):
    name = unique('memory')
    deploy_function(name, 'def handler(e, c):\n    x = []\n    while e["eat"]:\n        x.append(bytes([1]) * (1 << 20))\n    return "fine"\n', Timeout=60)
    error, body = invoke(fn, name, {'eat': True})
    assert error == 'Unhandled'
    if body['errorType'] != 'MemoryError':      # no memory control group: the limit is each process's own
        assert body['errorType'] == 'Runtime.OutOfMemory'
        assert re.fullmatch(ID + 'Runtime exited with error: signal: killed', body['errorMessage'])
    assert invoke(fn, name, {'eat': False}) == (None, 'fine')


def test_an_answer_above_the_limit(fn, deploy_function, unique):
    name = unique('large')
    deploy_function(name, 'def handler(e, c):\n    return "x" * e["n"]\n', Timeout=20)
    assert len(invoke(fn, name, {'n': 6291554})[1]) == 6291554
    error, body = invoke(fn, name, {'n': 6291555})
    assert (error, body['errorType']) == ('Unhandled', 'Function.ResponseSizeTooLarge')
    assert invoke(fn, name, {'n': 1}) == (None, 'x')


def test_the_order_of_the_runtime_api_is_kept(fn, deploy):
    """An answer under another id, a second answer, an error after the answer: refused, and the invocation is not touched."""
    name = deploy(PRELUDE + '''
seen = []
while True:
    id, event = api.next()
    before, seen = seen, []
    other = '00000000-0000-0000-0000-000000000000'
    seen.append((api.answer(other, 'wrong')[0], api('POST', 'invocation/%s/error' % other, '{}')[0], api('POST', 'init/error', '{}')[0],
                 api('GET', 'invocation/next')[0]))
    api.answer(id, before)
    seen.append((api.answer(id, 'twice')[0], api('POST', 'invocation/%s/error' % id, '{}')[0]))
''')
    assert invoke(fn, name) == (None, [])
    assert invoke(fn, name) == (None, [[400, 400, 403, 403], [403, 403]])


@pytest.mark.parametrize('body', ['''
id, event = api.next()
api.connection.close()
time.sleep(100)
''', '''
api.connection.putrequest('GET', '/2018-06-01/runtime/invocation/next')
api.connection.endheaders()
time.sleep(0.2)
api.connection.close()
time.sleep(100)
''', '''
id, event = api.next()
api.connection.putrequest('POST', '/2018-06-01/runtime/invocation/%s/response' % id)
api.connection.putheader('Content-Length', '100')
api.connection.endheaders()
api.connection.send(b'"half')
time.sleep(100)
'''], ids=['after the event', 'while it waits', 'in the middle of an answer'])
def test_a_program_that_hangs_up(fn, deploy, bystander, body):
    """It counts as one that does not answer; the environment is not used again."""
    name = deploy(PRELUDE + body, Timeout=1)
    for _ in range(2):
        failed(fn, name, 'Sandbox.Timedout', r'Task timed out after 1\.00 seconds')
    bystander()


def test_a_program_that_comes_back_on_another_connection(fn, deploy):
    name = deploy(PRELUDE + '''
while True:
    id, event = api.next()
    api.connection.close()
    api = Api()
    api.answer(id, event)
    api.connection.close()
    api = Api()
''')
    assert [invoke(fn, name, n) for n in range(3)] == [(None, n) for n in range(3)]


@pytest.mark.parametrize('then', ['sys.exit(1)', 'time.sleep(100)', 'api.next()'])
def test_an_error_of_initialisation_is_what_is_answered(fn, deploy, then):
    """Also of a runtime that does not end after it, or asks for work all the same."""
    name = deploy(PRELUDE + f'''
api('POST', 'init/error', '{{"errorType": "Mine", "errorMessage": "no database"}}', {{'Lambda-Runtime-Function-Error-Type': 'Mine'}})
{then}
time.sleep(100)
''')
    began = time.monotonic()
    error, body = invoke(fn, name)
    assert error == 'Unhandled' and body.pop('requestId') and body == {'errorType': 'Mine', 'errorMessage': 'no database'}
    assert time.monotonic() - began < 8, 'it was not waited for until the limit of initialisation'


def test_children_do_not_outlive_their_environment(fn, deploy):
    running = lambda: harness.processes('sleep', '98731')
    name = deploy(PRELUDE + '''
child = subprocess.Popen(['setsid', 'nohup', 'sleep', '98731'], stdout=subprocess.DEVNULL)
def handle(event):
    if event:
        os._exit(3)
    return 'ready'
''' + SERVE)
    assert invoke(fn, name, 0) == (None, 'ready')
    harness.until(lambda: running() == 1, 'the child becomes what it was started as')
    failed(fn, name, 'Runtime.ExitError', 'Runtime exited with error: exit status 3', 1)
    assert running() == 0
    assert invoke(fn, name, 0) == (None, 'ready')
    fn.delete_function(FunctionName=name)
    harness.until(lambda: not running(), 'the environment of a deleted function goes at once')


def test_a_full_tmp(fn, deploy_function, unique):
    name = unique('full')
    deploy_function(name, '''
import os
def handler(event, context):
    if event == 'clean':
        os.unlink('/tmp/big')
        return open('/tmp/small', 'w').write('x')
    with open('/tmp/big', 'wb', buffering=0) as f:
        try:
            while True:
                f.write(bytes(1 << 20))
        except OSError as error:
            return [error.errno, f.tell() >> 20]
''', MemorySize=1024, Timeout=30)
    assert invoke(fn, name) == (None, [28, 512])
    assert invoke(fn, name, 'clean') == (None, 1)


def resident_mb(pid):
    with open(f'/proc/{pid}/status') as f:
        return int(re.search(r'VmRSS:\s+(\d+) kB', f.read()).group(1)) // 1024


def until_logged(logs, name, message):
    deadline = time.monotonic() + 20
    while True:
        try:
            if any(message in e['message'] for e in logs.filter_log_events(logGroupName=f'/aws/lambda/{name}')['events']):
                return
        except logs.exceptions.ResourceNotFoundException:
            pass
        assert time.monotonic() < deadline, f'{name} did not log {message}'
        time.sleep(0.05)


@pytest.mark.parametrize('line', ['y', 'y' * 300, ''], ids=['short lines', 'long lines', 'empty lines'])
def test_endless_output_starves_nobody(server, client, fn, deploy, bystander, line):
    """Its children print as fast as they can, between invocations too: they wait at their pipe, and the queue has its bound."""
    name = deploy(PRELUDE + f'''
for _ in range(3):
    subprocess.Popen(['yes', {line!r}])
def handle(event):
    return event
''' + SERVE, Timeout=20)
    before = resident_mb(server.process.pid)
    assert invoke(fn, name, 1) == (None, 1)
    took = sorted(bystander() for _ in range(30))
    assert took[15] < 0.5, took
    assert invoke(fn, name, 2, LogType='Tail') == (None, 2)
    quiet = deploy('#!/bin/sh\necho heard\n')
    assert invoke(fn, quiet)[0] == 'Unhandled'
    until_logged(client('logs'), quiet, 'heard')
    assert resident_mb(server.process.pid) < before + 150
    assert harness.http('GET', server.url + '/_cloudless/health').status == 200
    fn.delete_function(FunctionName=name)


def test_output_without_a_newline_is_split(client, fn, deploy, unique):
    name = deploy(PRELUDE + '''
sys.stdout.buffer.write('ä'.encode() * 600000 + b'b')
sys.stdout.buffer.flush()
def handle(event):
    return event
''' + SERVE)
    assert invoke(fn, name, 1) == (None, 1)
    logs, sizes = client('logs'), []
    deadline = time.monotonic() + 30
    while sum(sizes) < 600001 and time.monotonic() < deadline:
        try:
            pages = logs.get_paginator('filter_log_events').paginate(logGroupName=f'/aws/lambda/{name}')
            sizes = [len(e['message']) for page in pages for e in page['events'] if e['message'][0] in 'äb']
        except logs.exceptions.ResourceNotFoundException:
            pass
    assert sizes == [(1048576 - 26) // 2, 600001 - (1048576 - 26) // 2]


def test_output_that_is_no_text(client, fn, deploy):
    """As CloudWatch shows it: each byte that belongs to no character is U+FFFD."""
    name = deploy(PRELUDE + """
sys.stdout.buffer.write(b'bytes \\xff\\xc3 and \\xe2\\x82\\xac\\n')
sys.stdout.buffer.flush()
def handle(event):
    return event
""" + SERVE)
    assert invoke(fn, name, 1) == (None, 1)
    logs = client('logs')

    def found():
        try:
            return [e['message'] for e in logs.filter_log_events(logGroupName=f'/aws/lambda/{name}')['events'] if e['message'].startswith('bytes')]
        except logs.exceptions.ResourceNotFoundException:
            return []
    harness.until(found)
    assert found() == ['bytes \ufffd\ufffd and €\n']


def test_a_role_that_lambda_may_not_assume_any_more(server, fn, deploy_function, unique):
    role_name, name = unique('gone'), unique('roleless')
    role = harness.make_role(server, role_name)
    deploy_function(name, 'def handler(e, c):\n    return 1\n', role=role)
    server.client('iam').delete_role(RoleName=role_name)
    with pytest.raises(fn.exceptions.ClientError, match='The role defined for the function cannot be assumed by Lambda.') as e:
        invoke(fn, name)
    assert e.value.response['ResponseMetadata']['HTTPStatusCode'] == 403


def child_of(server, name):
    """The server's child process of that name, or None."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat') as f:
                head, _, rest = f.read().rpartition(')')
        except OSError:
            continue
        if head.endswith(f'({name}') and int(rest.split()[1]) == server.process.pid:
            return int(pid)
    return None


def test_a_launcher_that_is_killed_is_replaced(server, fn, deploy):
    """More invocations at a time than there are sandboxes ahead, while the process that makes sandboxes is gone."""
    name = deploy(PRELUDE + 'def handle(event):\n    time.sleep(0.2)\n    return event\n' + SERVE)
    assert invoke(fn, name, 1) == (None, 1)
    before = child_of(server, 'cl-launcher')
    os.kill(before, signal.SIGKILL)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: invoke(fn, name, n), range(8))) == [(None, n) for n in range(8)]
    assert child_of(server, 'cl-launcher') not in (None, before)
    assert harness.http('GET', server.url + '/_cloudless/health').json['sandboxes'] == 'ready'


def test_starts_that_hang_stall_nothing_else(server, fn, deploy, client, unique):
    """More starts than their lane has threads, while the process that makes sandboxes is stopped: Scan and Query go on, and so do the
    starts once it does."""
    dynamodb, table = client('dynamodb'), unique('table')
    dynamodb.create_table(TableName=table, BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                          AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
    dynamodb.put_item(TableName=table, Item={'k': {'S': 'x'}})
    names = [deploy(PRELUDE + 'def handle(event):\n    return event\n' + SERVE) for _ in range(8)]
    launcher = child_of(server, 'cl-launcher')
    running = lambda: value(metrics_of(server), 'cloudless_lane_running', lane='start')
    with ThreadPoolExecutor(len(names)) as pool:
        os.kill(launcher, signal.SIGSTOP)
        try:
            answers = [pool.submit(invoke, fn, name, 1) for name in names]
            harness.until(lambda: running() == 4 and value(metrics_of(server), 'cloudless_lane_queued', lane='start') > 0)
            for _ in range(20):
                assert dynamodb.scan(TableName=table)['Count'] == 1
                assert dynamodb.query(TableName=table, KeyConditionExpression='k = :k', ExpressionAttributeValues={':k': {'S': 'x'}})['Count'] == 1
            assert running() == 4
        finally:
            os.kill(launcher, signal.SIGCONT)
        assert [answer.result() for answer in answers] == [(None, 1)] * len(names)
    assert child_of(server, 'cl-launcher') == launcher
    assert harness.http('GET', server.url + '/_cloudless/health').json['sandboxes'] == 'ready'
