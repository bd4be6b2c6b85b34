"""A full disk: writes answer an error, reads go on, nothing acknowledged is lost, and with room again writes work again.

The data directory is a small tmpfs with a ballast file that takes what is free. Needs root for the mount.
"""
import errno
import itertools
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time

import pytest
from botocore.exceptions import ClientError

import harness

DISK_BYTES = 160 << 20
WRITES_MAX = 3000               # 4 KB each: more than the log can have in reserve
SAMPLE = 300                    # of the refused items, looked for after a run with many
RESUME_SECONDS = 60             # a bound; the engine looks at the free space every five seconds
ECHO = 'def handler(event, context):\n    return event\n'

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='a small tmpfs can be mounted by root only')


class Disk:
    """A tmpfs with a server on it."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix='cloudless-disk-')
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={DISK_BYTES}', 'tmpfs', self.path], check=True)
        self.server = harness.Server(data=os.path.join(self.path, 'data'), args=['--log', 'error'])
        self.acknowledged = {}
        self.refused = set()

    def fill(self):
        with open(os.path.join(self.path, 'ballast'), 'ab', buffering=0) as f:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        f.write(b'\0' * size)
                except OSError as e:
                    assert e.errno == errno.ENOSPC

    def free(self):
        os.unlink(os.path.join(self.path, 'ballast'))

    def remove(self):
        if self.server.process:
            self.server.kill()
        subprocess.run(['umount', '-l', self.path], check=True)
        shutil.rmtree(self.path)

    # ---- items ----

    def start(self):
        self.server.start()
        self.dynamodb = self.server.client('dynamodb')

    def make_table(self):
        self.dynamodb.create_table(TableName='full', BillingMode='PAY_PER_REQUEST', AttributeDefinitions=[{'AttributeName': 'pk', 'AttributeType': 'S'}],
                                   KeySchema=[{'AttributeName': 'pk', 'KeyType': 'HASH'}])

    def put(self, n, size=4000):
        text = f'{n}-'.ljust(size, 'x')
        self.refused.add(n)
        self.dynamodb.put_item(TableName='full', Item={'pk': {'S': str(n)}, 'text': {'S': text}})
        self.refused.remove(n)
        self.acknowledged[n] = text

    def put_until_refused(self, first):
        for n in range(first, first + WRITES_MAX):
            try:
                self.put(n)
            except ClientError as e:
                return e
        raise AssertionError(f'{WRITES_MAX} writes were acknowledged on a full disk')

    def health(self):
        answer = harness.http('GET', self.server.url + '/_cloudless/health')
        return answer.status, answer.json['status']

    def check_all(self, visible_refused=False):
        """What was acknowledged is there as it was written; what was refused is not, before a restart."""
        for n, text in self.acknowledged.items():
            item = self.dynamodb.get_item(TableName='full', Key={'pk': {'S': str(n)}}, ConsistentRead=True).get('Item')
            assert item and item['text']['S'] == text, n
        for n in random.sample(sorted(self.refused), min(SAMPLE, len(self.refused))):
            assert visible_refused or 'Item' not in self.dynamodb.get_item(TableName='full', Key={'pk': {'S': str(n)}})

    def wait_until_writable(self, n):
        deadline = time.monotonic() + RESUME_SECONDS
        while True:
            try:
                return self.put(n)
            except ClientError as e:
                assert e.response['ResponseMetadata']['HTTPStatusCode'] == 500
                assert time.monotonic() < deadline, 'there is room again, and writes are still refused'
                time.sleep(0.5)


@pytest.fixture
def disk():
    disk = Disk()
    try:
        disk.start()
        disk.make_table()
        for n in range(200):
            disk.put(n)
        yield disk
    finally:
        disk.remove()


def code_of(error):
    return error.response['Error']['Code'], error.response['ResponseMetadata']['HTTPStatusCode']


def test_writes_are_refused_reads_go_on_and_writes_come_back(disk):
    disk.fill()
    assert code_of(disk.put_until_refused(1000)) == ('InternalServerError', 500)
    for n in range(2000, 2010):
        with pytest.raises(ClientError) as e:
            disk.put(n)
        assert code_of(e.value) == ('InternalServerError', 500)
    disk.check_all()
    firsts = itertools.count(10**5, 1000)
    harness.until(lambda: disk.put_until_refused(next(firsts)) and disk.health() == (200, 'read-only'), 'health tells of the last write')
    disk.free()
    disk.wait_until_writable(3000)
    harness.until(lambda: disk.health() == (200, 'ready'), 'health tells that writes work again')
    for n in range(3001, 3100):
        disk.put(n)
    disk.check_all()
    disk.server.stop()
    disk.start()
    disk.check_all()


def test_every_service_answers_its_own_error(disk):
    role = harness.make_role(disk.server, 'before', policies=[harness.LOGS_POLICY])
    iam, logs, gateway, function = (disk.server.client(s) for s in ('iam', 'logs', 'apigateway', 'lambda'))
    logs.create_log_group(logGroupName='g')
    logs.create_log_stream(logGroupName='g', logStreamName='s')
    harness.deploy_function(disk.server, 'echo', ECHO, role=role)
    assert function.invoke(FunctionName='echo', Payload='"warm"')['Payload'].read() == b'"warm"'
    disk.fill()
    disk.put_until_refused(1000)
    writes = [
        ('InternalServerError', lambda: disk.dynamodb.delete_item(TableName='full', Key={'pk': {'S': '1'}})),
        ('InternalServerError', lambda: disk.dynamodb.update_item(TableName='full', Key={'pk': {'S': '2'}}, UpdateExpression='SET a = :a', ExpressionAttributeValues={':a': {'N': '1'}})),
        ('InternalServerError', lambda: disk.dynamodb.create_table(TableName='other', BillingMode='PAY_PER_REQUEST', AttributeDefinitions=[{'AttributeName': 'pk', 'AttributeType': 'S'}], KeySchema=[{'AttributeName': 'pk', 'KeyType': 'HASH'}])),
        ('InternalServerError', lambda: disk.dynamodb.delete_table(TableName='full')),
        ('InternalFailure', lambda: iam.create_role(RoleName='after', AssumeRolePolicyDocument=harness.LAMBDA_TRUST)),
        ('InternalFailure', lambda: iam.create_user(UserName='after')),
        ('InternalFailure', lambda: gateway.create_rest_api(name='after')),
        ('InternalFailure', lambda: logs.put_log_events(logGroupName='g', logStreamName='s', logEvents=[{'timestamp': int(time.time() * 1000), 'message': 'm'}])),
        ('ServiceException', lambda: harness.deploy_function(disk.server, 'after', ECHO, role=role)),
        ('ServiceException', lambda: function.delete_function(FunctionName='echo')),
    ]
    for code, write in writes:
        with pytest.raises(ClientError) as e:
            write()
        assert code_of(e.value) == (code, 500)
    # Reads, and invocations of what is there (their log lines are lost, and only these).
    assert [r['RoleName'] for r in iam.list_roles()['Roles']] == ['before'] and iam.list_users()['Users'] == []
    assert gateway.get_rest_apis()['items'] == []
    assert [f['FunctionName'] for f in function.list_functions()['Functions']] == ['echo']
    assert function.invoke(FunctionName='echo', Payload='"full"')['Payload'].read() == b'"full"'
    assert disk.dynamodb.list_tables()['TableNames'] == ['full']
    disk.check_all()
    disk.free()
    disk.wait_until_writable(3000)
    harness.deploy_function(disk.server, 'after', ECHO, role=role)
    assert function.invoke(FunctionName='after', Payload='"new"')['Payload'].read() == b'"new"'
    disk.server.stop()


def test_killed_while_full(disk):
    """It starts on the full disk, tells that it can only be read, and writes again when there is room."""
    disk.fill()
    disk.put_until_refused(1000)
    disk.server.kill()
    disk.fill()
    disk.start()
    assert disk.health() == (200, 'read-only')
    disk.check_all(visible_refused=True)
    with pytest.raises(ClientError) as e:
        disk.put(2000)
    assert code_of(e.value) == ('InternalServerError', 500)
    disk.free()
    disk.wait_until_writable(3000)
    harness.until(lambda: disk.health() == (200, 'ready'), 'health tells that writes work again')
    disk.check_all(visible_refused=True)
    disk.server.stop()
    disk.start()
    disk.check_all(visible_refused=True)


def test_concurrent_writers_meet_the_end_of_the_disk(disk):
    """Four writers, the space coming and going twice: whatever each was told holds."""
    stop = threading.Event()
    unexpected = []

    def write(first):
        n = first
        while not stop.is_set():
            try:
                disk.put(n, size=random.randrange(100, 20000))
            except ClientError as e:
                if code_of(e) != ('InternalServerError', 500):
                    unexpected.append(e)
            except Exception as e:      # noqa: BLE001 - it belongs to the test, not to this thread
                unexpected.append(e)
                return
            n += 1

    threads = [threading.Thread(target=write, args=(10**6 * i,)) for i in range(1, 5)]
    for thread in threads:
        thread.start()
    def more(numbers, why):
        """As many more as threads may have on their way, and one: those count as refused until they are answered."""
        wanted = len(numbers) + len(threads) + 1
        harness.until(lambda: len(numbers) >= wanted or unexpected, why, RESUME_SECONDS)

    for _ in range(2):
        more(disk.acknowledged, 'there is room, and writes are refused')
        disk.fill()
        more(disk.refused, 'there is no room, and no write is refused')
        disk.free()
        more(disk.acknowledged, 'there is room again, and writes are still refused')
    stop.set()
    for thread in threads:
        thread.join()
    assert not unexpected, unexpected
    disk.wait_until_writable(0)
    disk.check_all()
    disk.server.kill()
    disk.start()
    disk.check_all(visible_refused=True)
    disk.server.stop()
