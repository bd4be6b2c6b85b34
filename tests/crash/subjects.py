"""Writers of the crash tests and of the tests with faults: each notes a write before it is sent and again once it is acknowledged.

At most one of a subject's writes is on the way at a time, so whatever happens to the server there are exactly two permitted states afterwards:
with that last write, or without.
"""
import random
import time

from botocore.exceptions import ClientError

import harness
from wire import Connection

NAMED_MAX = 250         # resources of a kind that are kept; AWS's quotas (600 REST APIs, 1,000 roles) hold here too
INVOKED_CODE = "def handler(event, context):\n    print('invoked', event['n'])\n    return event['n']\n"


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, subject, operation, status, answer):
        super().__init__(f'{subject}: {operation} {status} {answer}')
        self.status = status


class Subject:
    """Writes numbered 1, 2, 3 …: `sent` may be one ahead of `acknowledged`. In verify() the state is read, found to be
    one of the two permitted, and taken as the new beginning."""

    def __init__(self, server):
        self.server, self.sent, self.acknowledged, self.total = server, 0, 0, 0

    def prepare(self):
        """Once, in the first round."""

    def connect(self):
        """At the beginning of each round."""

    def disconnect(self):
        """Lets go of what connect() made."""

    def step(self):
        self.sent += 1
        self.one(self.sent)
        self.acknowledged = self.sent
        self.total += 1

    def write(self):
        """Until the server dies."""
        while True:
            self.step()

    def settle(self, n):
        assert self.acknowledged <= n <= self.sent, f'{self}: {n} is there; acknowledged {self.acknowledged}, sent {self.sent}'
        self.sent = self.acknowledged = n

    def __repr__(self):
        return type(self).__name__


class Raw(Subject):
    """With a signed connection of its own, which is faster than a client."""

    def connect(self):
        self.connection = Connection(self.server)

    def disconnect(self):
        self.connection.close()

    def call(self, service, operation, body):
        status, answer = self.connection.json(service, operation, body)
        if status != 200:
            raise Refused(self, operation, status, answer)
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

    def step(self):
        """Those that were refused in between are not acknowledged by the next."""
        self.sent += 1
        self.one(self.sent)
        self.acknowledged += 1
        self.total += 1

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

    def step(self):
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
        self.acknowledged = 0
        for name in names:
            self.call('dynamodb', 'DeleteTable', {'TableName': name})
        self.sent = 0


class Named(Subject):
    """Resources with names of their own, made by a client: the acknowledged are whole, the last is whole or not there."""
    service = ''
    missing = ()
    may_clear = True

    def prepare(self):
        self.client = self.server.client(self.service)
        self.checked = 0

    def disconnect(self):
        self.client.close()

    def verify(self):
        for n in range(self.checked + 1, self.acknowledged + 1):
            self.check(n)
        if self.sent > self.acknowledged:
            try:
                self.check(self.sent)
                self.acknowledged = self.sent
            except ClientError as e:
                if e.response['Error']['Code'] not in self.missing:
                    raise
                self.sent = self.acknowledged
        # The new ones are looked at once; after that some of the old ones, and all of them by the last test.
        self.checked = self.sent
        for n in random.sample(range(1, self.sent + 1), min(3, self.sent)):
            self.check(n)
        if self.sent > NAMED_MAX and self.may_clear:
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
        listed = [api for page in self.client.get_paginator('get_rest_apis').paginate(PaginationConfig={'PageSize': 500}) for api in page['items']
                  if api['name'].startswith('api-')]
        assert all(api['name'] == 'api-' + api['description'].removeprefix('number ') for api in listed)
        there = {api['name']: api['id'] for api in listed}
        assert len(there) == len(listed), sorted(api['name'] for api in listed)
        if f'api-{self.sent}' in there:
            self.ids[self.sent] = there[f'api-{self.sent}']
        self.settle(len(there))
        self.ids = {n: i for n, i in self.ids.items() if n <= self.sent}
        known = {f'api-{n}': i for n, i in self.ids.items()}
        assert there == known, (there.items() ^ known.items(), self.sent)
        for n in random.sample(sorted(self.ids), min(3, len(self.ids))):
            resources = self.client.get_resources(restApiId=self.ids[n])['items']
            assert [r['path'] for r in resources] == ['/']
        if self.sent > NAMED_MAX and self.may_clear:
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

    def disconnect(self):
        self.client.close()

    def one(self, n):
        answer = self.client.invoke(FunctionName='invoked', Payload=str({'n': n}).replace("'", '"'))
        payload = answer['Payload'].read()
        if 'FunctionError' in answer:
            raise Refused(self, 'Invoke', answer['StatusCode'], payload)
        assert payload == str(n).encode(), payload

    def verify(self):
        self.settle(self.acknowledged)


def prepared(server, kinds):
    """A subject of each kind, which share nothing with those of another server."""
    Rows.made, Counter.writers, Counter.value = False, [], 0
    subjects = [kind(server) for kind in kinds]
    for subject in subjects:
        subject.prepare()
    return subjects
