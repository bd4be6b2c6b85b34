"""A mixed load for as long as it is told, and what the server holds before and after (holdings.py). Part of `make campaign`.

soak.py SECONDS. The server is CLOUDLESS_BIN. After a fifth of the time the load pauses until the server is at rest, which is what it is
compared with at the end: caches are warm by then, sandboxes made, the engine's buffers in use. Prints a line of figures, and how many of
the comparisons held.
"""
import json
import os
import socket
import ssl
import sys
import threading
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(TESTS, 'e2e'), os.path.join(TESTS, 'crash')]

import apis     # noqa: E402
import harness  # noqa: E402
from holdings import at_rest, grown     # noqa: E402
from wire import Connection, json_call, raw     # noqa: E402

CODE = "def handler(event, context):\n    print('n', event.get('n'))\n    return {'statusCode': 200, 'body': 'fine'}\n"
KEYS = 50


class Load:
    """One thread: step(n) again and again, each checks what it is answered."""
    steps = 0

    def __init__(self, server):
        self.server = server

    def begin(self):
        self.connection = Connection(self.server)

    def end(self):
        self.connection.close()

    def call(self, service, operation, **body):
        path, data, headers = json_call(self.server, service, operation, body)
        status, _, answer = self.connection.send('POST', path, data, headers)
        assert status == 200, f'{operation}: {status} {answer}'
        return json.loads(answer) if answer else None


class Items(Load):
    def step(self, n):
        key = {'k': {'S': f'{id(self)}-{n % KEYS}'}}
        self.call('dynamodb', 'PutItem', TableName='soak', Item={**key, 'n': {'N': str(n)}, 'text': {'S': 'x' * (n * 37 % 3000)}})
        self.call('dynamodb', 'UpdateItem', TableName='soak', Key=key, UpdateExpression='ADD times :one', ExpressionAttributeValues={':one': {'N': '1'}})
        assert self.call('dynamodb', 'GetItem', TableName='soak', Key=key, ConsistentRead=True)['Item']['n']['N'] == str(n)
        if n % 10 == 0:
            assert self.call('dynamodb', 'Scan', TableName='soak', Limit=20)['Count'] > 0


class Batches(Load):
    """Large bodies both ways, and a table that comes and goes."""

    def step(self, n):
        puts = [{'PutRequest': {'Item': {'k': {'S': f'b{i}'}, 'text': {'S': 'y' * 100000}}}} for i in range(10)]
        self.call('dynamodb', 'BatchWriteItem', RequestItems={'soak': puts})
        read = self.call('dynamodb', 'BatchGetItem', RequestItems={'soak': {'Keys': [{'k': {'S': f'b{i}'}} for i in range(10)]}})
        assert len(read['Responses']['soak']) == 10
        self.call('dynamodb', 'CreateTable', TableName='passing', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                  AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
        self.call('dynamodb', 'DeleteTable', TableName='passing')


class Logs(Load):
    def step(self, n):
        where = {'logGroupName': f'soak-{n % 3}'}
        self.call('logs', 'CreateLogGroup', **where)
        self.call('logs', 'CreateLogStream', **where, logStreamName='s')
        self.call('logs', 'PutLogEvents', **where, logStreamName='s', logEvents=[{'timestamp': int(time.time() * 1000), 'message': f'{i} ' + 'z' * 200} for i in range(100)])
        assert len(self.call('logs', 'FilterLogEvents', **where, filterPattern='" 7"')['events']) == 0
        self.call('logs', 'DeleteLogGroup', **where)


class Names(Load):
    """Roles and functions' settings, by a client of its own with each step: query and rest-json."""

    def step(self, n):
        iam = self.server.client('iam')
        iam.create_role(RoleName='soak', AssumeRolePolicyDocument=harness.LAMBDA_TRUST)
        iam.put_role_policy(RoleName='soak', PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': {
            'Effect': 'Allow', 'Action': 'dynamodb:*', 'Resource': '*'}}))
        iam.delete_role_policy(RoleName='soak', PolicyName='p')
        iam.delete_role(RoleName='soak')
        api = self.server.client('apigateway')
        api.delete_rest_api(restApiId=apis.Resources(api, name='passing').id)
        iam.close(), api.close()


class Functions(Load):
    """Invocations by both doors; the first of them has all environments made anew now and then."""

    def begin(self):
        self.client = self.server.client('lambda')
        self.server.functions.append(self)

    def end(self):
        self.client.close()

    def step(self, n):
        answer = self.client.invoke(FunctionName='soak', Payload=json.dumps({'n': n}))
        assert json.load(answer['Payload'])['body'] == 'fine'
        answer = harness.http('GET', self.server.api.url('prod') + f'/soak?n={n}')
        assert answer.status == 200 and answer.body == b'fine', answer.body
        if n % 50 == 49 and self is self.server.functions[0]:
            self.client.update_function_configuration(FunctionName='soak', Environment={'Variables': {'STEP': str(n)}})


class Strangers(Load):
    """Who is not let in, who goes in the middle, who speaks another language; and TLS, a handshake a step."""

    def begin(self):
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def end(self):
        pass

    def step(self, n):
        for data in (b'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}',
                     b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n' + b'x' * 5000, b'GET / HTTP/1.1\r\nHost\r\n\r\n', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + b'\0' * 9,
                     b'\x16\x03\x01' + b'\xff' * 50, os.urandom(64)):
            raw(self.server, data)
        with socket.create_connection(('127.0.0.1', self.server.port)) as s, self.context.wrap_socket(s) as tls:
            tls.sendall(b'GET /_cloudless/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
            assert tls.recv(12) == b'HTTP/1.1 200'


KINDS = [Items, Items, Batches, Logs, Names, Functions, Functions, Strangers]


def run(loads, seconds, failures):
    """The load for that long; then all clients have gone."""
    until = time.monotonic() + seconds

    def work(load):
        try:
            load.begin()
            while time.monotonic() < until:
                load.step(load.steps)
                load.steps += 1
            load.end()
        except Exception as e:      # noqa: BLE001 - it belongs to the campaign, not to this thread
            failures.append(f'{type(load).__name__}, step {load.steps}: {e!r}')
    threads = [threading.Thread(target=work, args=(load,)) for load in loads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rest(server):
    """What it holds with one environment and no client but us."""
    client = server.client('lambda')
    client.update_function_configuration(FunctionName='soak', Environment={'Variables': {'AT': 'REST'}})     # the environments go
    client.invoke(FunctionName='soak', Payload='{}')
    client.close()
    return at_rest(server, environments=1)


def prepare(server):
    server.client('dynamodb').create_table(TableName='soak', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                                           AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
    harness.deploy_function(server, 'soak', CODE)
    server.api, server.functions = apis.Api(server, 'soak'), []
    server.api.function('/soak', 'GET', 'soak')
    server.api.deploy('prod')
    server.api.client.close()


def main():
    seconds, failures = float(sys.argv[1]), []
    server = harness.Server(args=['--log', 'error']).start()
    try:
        prepare(server)
        loads = [kind(server) for kind in KINDS]
        run(loads, seconds / 5, failures)
        begin = rest(server)
        run(loads, seconds * 4 / 5, failures)
        end = rest(server)
        server.stop()
    except AssertionError as e:
        failures.append(str(e))
    finally:
        if server.process:
            server.kill()
        server.remove()
    more = grown(begin, end)
    for failure in failures:
        print(failure)
    print('figures ' + json.dumps({'steps': sum(load.steps for load in loads), 'memory': [begin.memory >> 20, end.memory >> 20],
                                   'descriptors': [begin.descriptors, end.descriptors], 'threads': [begin.threads, end.threads]}))
    failed = len(more) + len(failures)
    print(f'{5 - len(more) + (not failures)} passed, {failed} failed')
    sys.exit(1 if failed else 0)


main()
