"""One memory budget: clients that make the server hold much are refused, and well-behaved ones are served meanwhile."""
import contextlib
import json
import re
import socket
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

import apis
import harness
from seen_test import metrics_of, value, wait_for

pytestmark = pytest.mark.also_plain

MEMORY = 256 << 20

IDLE = 1 << 20          # the page that is asked holds some, too


@pytest.fixture(scope='module')
def small():
    with harness.running(args=['--client-memory', str(MEMORY >> 20)]) as server:
        dynamodb = server.client('dynamodb')
        dynamodb.create_table(TableName='table', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                              AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
        for i in range(20):
            dynamodb.put_item(TableName='table', Item={'k': {'S': str(i)}, 'v': {'S': 'x' * 390000}})
        yield server


def resident(server, field='VmRSS'):
    if 'san-' in harness.BINARY:        # a sanitizer keeps what was freed
        return 0
    return int(re.search(field + r':\s+(\d+)', open(f'/proc/{server.process.pid}/status').read()).group(1)) << 10


def signed(server, operation, body):
    """The bytes of a signed call."""
    request = botocore.awsrequest.AWSRequest('POST', server.url + '/', data=body, headers={
        'X-Amz-Target': 'DynamoDB_20120810.' + operation, 'Content-Type': 'application/x-amz-json-1.0'})
    credentials = botocore.credentials.Credentials(server.access_key, server.secret_key)
    botocore.auth.SigV4Auth(credentials, 'dynamodb', harness.REGION).add_auth(request)
    head = ''.join(f'{name}: {text}\r\n' for name, text in request.headers.items())
    return f'POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: {len(body)}\r\n{head}\r\n'.encode() + body


def status_of(connection):
    return int(connection.recv(12, socket.MSG_WAITALL).split()[1])


def budget_of(server):
    return value(metrics_of(server), 'cloudless_budget_bytes')


def test_a_tree_that_is_too_large(small):
    """8 MB of [0,0,…] would be 300 MB of nodes; one request may hold 64 MB."""
    before = resident(small)
    body = b'{"RequestItems":{"table":[' + b'0,' * (4 << 20) + b'0]}}'
    with socket.create_connection(('127.0.0.1', small.port)) as s:
        s.sendall(signed(small, 'BatchWriteItem', body))
        assert status_of(s) == 413
    assert resident(small) - before < MEMORY
    wait_for(lambda: budget_of(small) < IDLE)


LISTS = {       # 16 MB of [0,0,…] in each protocol: path, headers, what stands before and behind the zeros
    'dynamodb': ('/', {'X-Amz-Target': 'DynamoDB_20120810.BatchWriteItem', 'Content-Type': 'application/x-amz-json-1.0'},
                 b'{"RequestItems":{"table":[', b'0]}}'),
    'logs': ('/', {'X-Amz-Target': 'Logs_20140328.PutLogEvents', 'Content-Type': 'application/x-amz-json-1.1'},
             b'{"logGroupName":"g","logStreamName":"s","logEvents":[', b'0]}'),
    'lambda': ('/2015-03-31/functions', {'Content-Type': 'application/json'}, b'{"FunctionName":"f","Layers":[', b'0]}'),
    'apigateway': ('/restapis', {'Content-Type': 'application/json'}, b'{"name":"n","binaryMediaTypes":[', b'0]}'),
    'iam': ('/', {'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8'}, b'Action=CreatePolicy&Version=2010-05-08&PolicyDocument=[',
            b'0]'),
}


@pytest.mark.parametrize('known', [True, False], ids=['signed', 'unsigned'])
@pytest.mark.parametrize('service', LISTS)
def test_a_tree_in_each_protocol(small, service, known):
    """Refused, or never made; the peak is far below what the tree would take, and all of it goes back."""
    path, headers, before, behind = LISTS[service]
    body = before + b'0,' * (8 << 20) + behind
    request = botocore.awsrequest.AWSRequest('POST', small.url + path, data=body, headers=headers)
    if known:
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(small.access_key, small.secret_key), service, harness.REGION).add_auth(request)
    head = ''.join(f'{name}: {text}\r\n' for name, text in request.headers.items())
    open(f'/proc/{small.process.pid}/clear_refs', 'w').write('5')       # the peak begins here
    start = resident(small)
    with socket.create_connection(('127.0.0.1', small.port)) as s:
        with contextlib.suppress(ConnectionError):
            s.sendall(f'POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{small.port}\r\nContent-Length: {len(body)}\r\n{head}\r\n'.encode() + body)
        assert status_of(s) in (400, 403, 413, 503)
    assert resident(small, 'VmHWM') - start < MEMORY / 2
    wait_for(lambda: budget_of(small) < IDLE)


def test_a_body_that_is_too_large(small):
    """The service would take 70 MB, but one request may hold 64 MB here: it is told not to come again."""
    head = ('POST /2015-03-31/functions HTTP/1.1\r\nHost: x\r\nContent-Length: 68000000\r\n'
            'Authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260131/us-east-1/lambda/aws4_request\r\n\r\n')
    with socket.create_connection(('127.0.0.1', small.port)) as s:
        with contextlib.suppress(ConnectionError):
            s.sendall(head.encode() + bytes(68_000_000))
        assert status_of(s) == 413
    wait_for(lambda: budget_of(small) < IDLE)


def test_answers_that_nobody_takes(small):
    """Each answer has 8 MB, and costs more while it is made; the client's share is 128 MB, three quarters of it for large ones."""
    keys = [{'k': {'S': str(i)}} for i in range(20)]
    call = signed(small, 'BatchGetItem', json.dumps({'RequestItems': {'table': {'Keys': keys}}}).encode())
    before = value(metrics_of(small), 'cloudless_budget_refusals_total')
    with contextlib.ExitStack() as held:
        connections = [held.enter_context(socket.socket()) for _ in range(24)]
        for s in connections:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(('127.0.0.1', small.port))
            s.sendall(call)
        statuses = [status_of(s) for s in connections]
        assert set(statuses) == {200, 503} and statuses.count(200) >= 1
        assert budget_of(small) < MEMORY
        assert small.client('dynamodb').get_item(TableName='table', Key={'k': {'S': 'none'}}, ProjectionExpression='k')
        assert value(metrics_of(small), 'cloudless_budget_refusals_total') > before
        refused = connections[statuses.index(503)].recv(4000)
        assert b'\r\nRetry-After: 1\r\n' in refused and b'ServiceUnavailable' in refused
    wait_for(lambda: budget_of(small) < IDLE)


def test_answers_that_nobody_takes_of_one_connection(small):
    """The same calls, one behind the other; then they are read, and the connection is as good as before."""
    keys = [{'k': {'S': str(i)}} for i in range(20)]
    call = signed(small, 'BatchGetItem', json.dumps({'RequestItems': {'table': {'Keys': keys}}}).encode())
    answered = 0
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(('127.0.0.1', small.port))
        s.sendall(call * 24)
        wait_for(lambda: budget_of(small) > IDLE)
        assert budget_of(small) < MEMORY
        small.client('dynamodb').put_item(TableName='table', Item={'k': {'S': 'small'}, 'v': {'S': 'x' * 100_000}})
        stream = s.makefile('rb')
        for _ in range(24):
            status = stream.readline()
            assert status.split()[1] in (b'200', b'503')
            length = 0
            for line in iter(stream.readline, b'\r\n'):
                if line.lower().startswith(b'content-length:'):
                    length = int(line.split(b':')[1])
            assert len(stream.read(length)) == length
            answered += 1
    assert answered == 24
    wait_for(lambda: budget_of(small) < IDLE)


def test_bodies_that_never_end(small):
    """Without credentials: the strangers' half, and of it three quarters for large bodies."""
    with contextlib.ExitStack() as held:
        refused = 0
        for _ in range(24):
            s = held.enter_context(socket.create_connection(('127.0.0.1', small.port)))
            head = 'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Length: 16000000\r\n\r\n'
            with contextlib.suppress(ConnectionError):
                s.sendall(head.encode() + b' ' * 7_900_000)
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                refused += b' 503 ' in s.recv(100)
        wait_for(lambda: budget_of(small) > IDLE)
        assert budget_of(small) <= MEMORY / 2 and refused > 0
        small.client('dynamodb').put_item(TableName='table', Item={'k': {'S': 'small'}, 'v': {'S': 'x' * 100_000}})
    wait_for(lambda: budget_of(small) < IDLE)


def test_answers_through_an_api(small):
    """Without credentials: each answer is 5 MB and costs some more; the strangers' half is 128 MB, three quarters of it for large ones."""
    harness.deploy_function(small, 'large', 'def handler(event, context):\n    return {"statusCode": 200, "body": "x" * 5000000}\n')
    api = apis.Api(small, 'large')
    api.function('/', 'GET', 'large')
    api.deploy('prod')
    path = api.url('prod').removeprefix(small.url).rstrip('/') + '/'
    statuses = []
    with contextlib.ExitStack() as held:
        while 503 not in statuses and len(statuses) < 60:
            s = held.enter_context(socket.socket())
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(('127.0.0.1', small.port))
            s.sendall(f'GET {path} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
            statuses.append(status_of(s))
        assert statuses[0] == 200 and statuses[-1] == 503 and b'\r\nRetry-After: 1\r\n' in s.recv(4000)
        assert budget_of(small) <= MEMORY / 2
        small.client('dynamodb').put_item(TableName='table', Item={'k': {'S': 'small'}, 'v': {'S': 'x' * 100_000}})
    wait_for(lambda: budget_of(small) < IDLE)


def test_memory_goes_back(small):
    """After all of the above nothing is held, by the budget's count and by the system's."""
    urllib.request.urlopen(small.url + '/_cloudless/health')
    assert budget_of(small) < IDLE
    assert resident(small) < MEMORY
