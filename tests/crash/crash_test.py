"""kill -9 under concurrent writers: what was acknowledged is there after a restart, nothing is half done, nothing is left.

Each round starts the server on the same data directory, checks everything that the rounds before have written, lets one
thread a subject write, kills the server in the middle of it, and looks for what it left behind. A subject notes each
write before it is sent and again once it is acknowledged; at most one of its writes is on the way at a time, so after
a restart there are exactly two permitted states: with that last write, or without. CRASH_ROUNDS=20 is the default.
"""
import http.client
import os
import random
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError

import harness
from leftovers import Traces
from wire import Connection

ROUNDS = int(os.environ.get('CRASH_ROUNDS', '20'))
WRITE_SECONDS = (0.2, 0.6)
COUNTERS = 3
NAMED_MAX = 250         # resources of a kind that are kept; AWS's quotas (600 REST APIs, 1,000 roles) hold here too
BROKEN = (OSError, http.client.HTTPException, BotoCoreError, ValueError)    # the server died under the request
INVOKED_CODE = "def handler(event, context):\n    print('invoked', event['n'])\n    return event['n']\n"


class Subject:
    """Writes numbered 1, 2, 3 …: `sent` may be one ahead of `acknowledged`. In verify() the state is read, found to be
    one of the two permitted, and taken as the new beginning."""

    def __init__(self, server):
        self.server, self.sent, self.acknowledged, self.total = server, 0, 0, 0

    def prepare(self):
        """Once, in the first round."""

    def connect(self):
        """At the beginning of each round."""

    def write(self):
        """Until the server dies."""
        while True:
            self.sent += 1
            self.one(self.sent)
            self.acknowledged = self.sent
            self.total += 1

    def settle(self, n):
        assert self.acknowledged <= n <= self.sent, f'{self}: {n} is there; acknowledged {self.acknowledged}, sent {self.sent}'
        self.sent = self.acknowledged = n

    def __repr__(self):
        return type(self).__name__


class Raw(Subject):
    """With a signed connection of its own, which is faster than a client."""

    def connect(self):
        self.connection = Connection(self.server)

    def call(self, service, operation, body):
        status, answer = self.connection.json(service, operation, body)
        assert status == 200, f'{self}: {operation} {status} {answer}'
        return answer


class Rows(Raw):
    """Items that are put one after the other into one collection: those there are a prefix without a hole."""
    made = False

    def prepare(self):
        if not Rows.made:
            self.server.client('dynamodb').create_table(
                TableName='rows', BillingMode='PAY_PER_REQUEST',
                AttributeDefinitions=[{'AttributeName': 'pk', 'AttributeType': 'S'}, {'AttributeName': 'sk', 'AttributeType': 'N'}],
                KeySchema=[{'AttributeName': 'pk', 'KeyType': 'HASH'}, {'AttributeName': 'sk', 'KeyType': 'RANGE'}])
            Rows.made = True
        self.checked = 0

    def one(self, n):
        self.call('dynamodb', 'PutItem', {'TableName': 'rows', 'Item': {'pk': {'S': 'row'}, 'sk': {'N': str(n)}, 'text': {'S': 'x' * (n % 3000)}}})

    def verify(self):
        found, start = [], {}
        while True:
            page = self.call('dynamodb', 'Query', {
                'TableName': 'rows', 'KeyConditionExpression': 'pk = :p AND sk > :k', **start, 'ConsistentRead': True,
                'ExpressionAttributeValues': {':p': {'S': 'row'}, ':k': {'N': str(self.checked)}}})
            for item in page['Items']:
                n = int(item['sk']['N'])
                assert len(item['text']['S']) == n % 3000
                found.append(n)
            if 'LastEvaluatedKey' not in page:
                break
            start = {'ExclusiveStartKey': page['LastEvaluatedKey']}
        assert found == list(range(self.checked + 1, self.checked + 1 + len(found)))
        self.settle(self.checked + len(found))
        self.checked = max(0, self.sent - 500)      # those before are looked at again now and then, by the last test


class Slot(Rows):
    """One item put over and over: its two attributes and its length are always of the same put."""

    def one(self, n):
        self.call('dynamodb', 'PutItem', {'TableName': 'rows', 'Item': {
            'pk': {'S': 'slot'}, 'sk': {'N': '0'}, 'a': {'N': str(n)}, 'b': {'N': str(n)}, 'text': {'S': 'y' * (n * 37 % 5000)}}})

    def verify(self):
        answer = self.call('dynamodb', 'GetItem', {'TableName': 'rows', 'Key': {'pk': {'S': 'slot'}, 'sk': {'N': '0'}}, 'ConsistentRead': True})
        if 'Item' not in answer:
            return self.settle(0)
        n = int(answer['Item']['a']['N'])
        assert answer['Item']['b']['N'] == str(n) and len(answer['Item']['text']['S']) == n * 37 % 5000
        self.settle(n)


class Counter(Rows):
    """Several writers add to one item: the sum is what they were told, and at most one more for each."""
    writers = []
    value = 0

    def prepare(self):
        super().prepare()
        Counter.writers.append(self)

    def one(self, n):
        self.call('dynamodb', 'UpdateItem', {
            'TableName': 'rows', 'Key': {'pk': {'S': 'counter'}, 'sk': {'N': '0'}}, 'UpdateExpression': 'ADD n :one SET twice = if_not_exists(twice, :zero) + :two',
            'ExpressionAttributeValues': {':one': {'N': '1'}, ':zero': {'N': '0'}, ':two': {'N': '2'}}})

    def verify(self):
        if self is not Counter.writers[-1]:
            return
        item = self.call('dynamodb', 'GetItem', {'TableName': 'rows', 'Key': {'pk': {'S': 'counter'}, 'sk': {'N': '0'}}}).get('Item')
        value = int(item['n']['N']) if item else 0
        assert not item or int(item['twice']['N']) == 2 * value
        least = Counter.value + sum(w.acknowledged for w in Counter.writers)
        most = Counter.value + sum(w.sent for w in Counter.writers)
        assert least <= value <= most, f'the counter is {value}; acknowledged {least}, sent {most}'
        Counter.value = value
        for writer in Counter.writers:
            writer.sent = writer.acknowledged = 0


class LogEvents(Raw):
    """Three events a call: all three or none, each once, in order."""

    def prepare(self):
        logs = self.server.client('logs')
        logs.create_log_group(logGroupName='crash')
        logs.create_log_stream(logGroupName='crash', logStreamName='one')
        self.began = int(time.time() * 1000)

    def one(self, n):
        self.call('logs', 'PutLogEvents', {'logGroupName': 'crash', 'logStreamName': 'one', 'logEvents': [
            {'timestamp': self.began + n, 'message': f'{n}-{part}'} for part in range(3)]})

    def verify(self):
        found, more = [], {}
        while True:
            page = self.call('logs', 'GetLogEvents', {'logGroupName': 'crash', 'logStreamName': 'one', 'startFromHead': True, **more})
            found += [event['message'] for event in page['events']]
            if more.get('nextToken') == page['nextForwardToken']:
                break
            more = {'nextToken': page['nextForwardToken']}
        assert len(found) % 3 == 0
        n = len(found) // 3
        assert found == [f'{i}-{part}' for i in range(1, n + 1) for part in range(3)]
        self.settle(n)


class Tables(Raw):
    """Table n is made, gets an item, and table n - 1 is deleted: one of them is there, and a new one is empty."""

    def write(self):
        while True:
            n = self.sent = self.sent + 1
            self.call('dynamodb', 'CreateTable', {
                'TableName': f'table-{n % 2}', 'BillingMode': 'PAY_PER_REQUEST',
                'AttributeDefinitions': [{'AttributeName': 'pk', 'AttributeType': 'S'}], 'KeySchema': [{'AttributeName': 'pk', 'KeyType': 'HASH'}]})
            self.acknowledged = n
            assert self.call('dynamodb', 'Scan', {'TableName': f'table-{n % 2}'})['Count'] == 0
            self.call('dynamodb', 'PutItem', {'TableName': f'table-{n % 2}', 'Item': {'pk': {'S': 'a'}, 'n': {'N': str(n)}}})
            if n > 1:
                self.call('dynamodb', 'DeleteTable', {'TableName': f'table-{(n - 1) % 2}'})
            self.total += 1

    def verify(self):
        names = [name for name in self.call('dynamodb', 'ListTables', {})['TableNames'] if name.startswith('table-')]
        assert not self.acknowledged or f'table-{self.acknowledged % 2}' in names
        for name in names:
            items = self.call('dynamodb', 'Scan', {'TableName': name})['Items']
            assert len(items) <= 1
            assert not items or self.acknowledged - 1 <= int(items[0]['n']['N']) <= self.sent
            self.call('dynamodb', 'DeleteTable', {'TableName': name})
        self.sent = self.acknowledged = 0


class Named(Subject):
    """Resources with names of their own, made by a client: the acknowledged are whole, the last is whole or not there."""
    service = ''
    missing = ()

    def prepare(self):
        self.client = self.server.client(self.service)
        self.checked = 0

    def verify(self):
        for n in range(self.checked + 1, self.acknowledged + 1):
            self.check(n)
        if self.sent > self.acknowledged:
            try:
                self.check(self.sent)
                self.acknowledged = self.sent
            except ClientError as e:
                assert e.response['Error']['Code'] in self.missing, e
                self.sent = self.acknowledged
        # The new ones are looked at once; after that some of the old ones, and all of them by the last test.
        self.checked = self.sent
        for n in random.sample(range(1, self.sent + 1), min(3, self.sent)):
            self.check(n)
        if self.sent > NAMED_MAX:
            self.clear()

    def clear(self):
        for n in range(1, self.sent + 1):
            self.delete(n)
        self.sent = self.acknowledged = self.checked = 0


class Roles(Named):
    service, missing = 'iam', ('NoSuchEntity',)

    def one(self, n):
        self.client.create_role(RoleName=f'crash-{n}', AssumeRolePolicyDocument=harness.LAMBDA_TRUST, Description=f'number {n}', Tags=[{'Key': 'n', 'Value': str(n)}])

    def check(self, n):
        role = self.client.get_role(RoleName=f'crash-{n}')['Role']
        assert role['Description'] == f'number {n}' and role['Tags'] == [{'Key': 'n', 'Value': str(n)}]

    def delete(self, n):
        self.client.delete_role(RoleName=f'crash-{n}')


class Apis(Named):
    """A REST API comes with its root resource; its identifier is made by the server, so the list tells what is there."""
    service = 'apigateway'

    def prepare(self):
        super().prepare()
        self.ids = {}

    def one(self, n):
        self.ids[n] = self.client.create_rest_api(name=f'api-{n}', description=f'number {n}')['id']

    def verify(self):
        listed = [api for page in self.client.get_paginator('get_rest_apis').paginate(PaginationConfig={'PageSize': 500}) for api in page['items']]
        assert all(api['name'] == 'api-' + api['description'].removeprefix('number ') for api in listed)
        there = {api['name']: api['id'] for api in listed}
        assert len(there) == len(listed)
        if f'api-{self.sent}' in there:
            self.ids[self.sent] = there[f'api-{self.sent}']
        self.settle(len(there))
        self.ids = {n: i for n, i in self.ids.items() if n <= self.sent}
        assert there == {f'api-{n}': i for n, i in self.ids.items()}
        for n in random.sample(sorted(self.ids), min(3, len(self.ids))):
            resources = self.client.get_resources(restApiId=self.ids[n])['items']
            assert [r['path'] for r in resources] == ['/']
        if self.sent > NAMED_MAX:
            self.clear()

    def delete(self, n):
        self.client.delete_rest_api(restApiId=self.ids.pop(n))


class Functions(Named):
    """A function and its package: both or none. The package is fetched by the function's first start (last test)."""
    service, missing = 'lambda', ('ResourceNotFoundException',)

    def prepare(self):
        super().prepare()
        self.role = harness.make_role(self.server, 'functions', policies=[harness.LOGS_POLICY])
        self.digests = {}

    def one(self, n):
        code = harness.zip_of({'app.py': f"def handler(event, context):\n    return 'function {n}'\n"})
        self.client.create_function(FunctionName=f'crash-{n}', Runtime='python3.11', Handler='app.handler', Role=self.role,
                                    Code={'ZipFile': code}, Environment={'Variables': {'NUMBER': str(n)}})

    def check(self, n):
        whole = self.client.get_function(FunctionName=f'crash-{n}')['Configuration']
        assert whole['Environment']['Variables'] == {'NUMBER': str(n)} and whole['State'] == 'Active' and whole['CodeSize'] > 0

    def delete(self, n):
        self.client.delete_function(FunctionName=f'crash-{n}')


class Invocations(Subject):
    """Keeps environments alive, so that there is something to leave behind. Its answers are checked as they come."""

    def prepare(self):
        harness.deploy_function(self.server, 'invoked', INVOKED_CODE)
        self.client = self.server.client('lambda')

    def one(self, n):
        answer = self.client.invoke(FunctionName='invoked', Payload=str({'n': n}).replace("'", '"'))
        payload = answer['Payload'].read()
        assert payload == str(n).encode(), payload

    def verify(self):
        self.settle(self.acknowledged)


class State:
    """What outlives a round."""

    def __init__(self):
        self.server = harness.Server(args=['--log', 'warn']).start()
        self.subjects = [kind(self.server) for kind in (Rows, Slot, *[Counter] * COUNTERS, LogEvents, Tables, Roles, Apis, Functions, Invocations)]
        for subject in self.subjects:
            subject.prepare()
        self.failures = []

    def check(self):
        for subject in self.subjects:
            subject.connect()
            subject.verify()

    def write(self, subject):
        try:
            subject.write()
        except BROKEN:
            pass
        except BaseException as e:      # noqa: BLE001 - it belongs to the test, not to this thread
            self.failures.append(f'{subject}: {e!r}')

    def write_and_kill(self):
        threads = [threading.Thread(target=self.write, args=(subject,), daemon=True) for subject in self.subjects]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(*WRITE_SECONDS))
        traces = Traces(self.server)
        self.server.kill()
        for thread in threads:
            thread.join(timeout=30)
            assert not thread.is_alive()
        assert not self.failures, self.failures
        traces.gone()


@pytest.fixture(scope='module')
def state():
    state = State()
    yield state
    if state.server.process:
        state.server.kill()
    state.server.remove()


@pytest.mark.parametrize('number', range(1, ROUNDS + 1))
def test_round(state, number):
    if not state.server.process:
        state.server.start()
    state.check()
    state.write_and_kill()


def test_everything_is_there_at_the_end(state):
    if not state.server.process:
        state.server.start()
    for subject in state.subjects:
        if hasattr(subject, 'checked'):
            subject.checked = 0
    state.check()
    done = {}
    for subject in state.subjects:
        done[str(subject)] = done.get(str(subject), 0) + subject.total
    print(f'acknowledged in {ROUNDS} rounds: {done}')
    assert all(done.values()), done
    functions = next(s for s in state.subjects if isinstance(s, Functions))
    for n in random.sample(range(1, functions.sent + 1), min(5, functions.sent)):
        assert functions.client.invoke(FunctionName=f'crash-{n}')['Payload'].read() == f'"function {n}"'.encode()


def test_nothing_is_left_after_a_stop(state):
    if not state.server.process:
        state.server.start()
    state.server.client('lambda').invoke(FunctionName='invoked', Payload='{"n": 1}')
    traces = Traces(state.server)
    assert len(traces.processes) > 1
    state.server.stop()
    traces.gone()
