"""Calls of the C library that fail while a server runs (faults.c), a mixed load over all services meanwhile, and what has to hold then.

A round: the load runs, calls of a kind begin to fail, each n-th of them, and stop failing. The server may refuse what it cannot do, with 5xx
or 429, and may end where memory is out, which is its way (base/panic.h); it is started again then. Nothing else may happen: no answer that
blames the client, no end by anything else, no hang, no 200 for what was not done. Behind the round every writer has to get on, what was
acknowledged is there (subjects.py), health says ready, and when all have gone the server holds what it held before.
"""
import collections
import http.client
import json
import mmap
import os
import signal
import struct
import tempfile
import threading
import time
import traceback

from botocore.exceptions import BotoCoreError, ClientError

import apis
import harness
from holdings import at_rest
from leftovers import Traces
from subjects import Apis, Counter, Functions, Invocations, LogEvents, Named, Refused, Roles, Rows, Slot, Subject, Tables, prepared

LIBRARY = os.path.join(harness.ROOT, 'build', 'faults.so')
KINDS = ['allocation', 'library allocation', 'descriptor', 'disk full', 'disk', 'reading', 'short write', 'clock', 'process']     # as in faults.c
KIND = struct.Struct('=IiQQq')
FOREVER = 2**31 - 1
ON_SECONDS = 30                 # a bound: so long may it take until every writer gets on again
BROKEN = (OSError, http.client.HTTPException, BotoCoreError)
REFUSED = (*BROKEN, Refused, ClientError)


class Faults:
    """The page that faults.c reads."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix='cloudless-faults-')
        self.file.truncate(4096)
        self.page = mmap.mmap(self.file.fileno(), 4096)

    def set(self, kind, period, left=FOREVER, value=0):
        """Each period-th call fails, `left` of them at most; value: only in the process of that number."""
        KIND.pack_into(self.page, KINDS.index(kind) * KIND.size, 0, 0, 0, 0, value)
        KIND.pack_into(self.page, KINDS.index(kind) * KIND.size, 0, left, 0, 0, value)
        struct.pack_into('=I', self.page, KINDS.index(kind) * KIND.size, period)

    def stop(self):
        """Ends all; the calls and the faults there were."""
        counted = [KIND.unpack_from(self.page, i * KIND.size) for i in range(len(KINDS))]
        self.page[:] = bytes(4096)
        return sum(calls for _, _, calls, _, _ in counted), sum(faults for _, _, _, faults, _ in counted)

    def left(self, kind):
        return KIND.unpack_from(self.page, KINDS.index(kind) * KIND.size)[1]

    def env(self, data):
        return {'LD_PRELOAD': LIBRARY, 'FAULTS_FILE': self.file.name, 'FAULTS_DATA': data}


# ---- writers beside those of the crash tests ----

class Settings(Named):
    """A user's policy that is put over and over."""
    service = 'iam'

    def prepare(self):
        super().prepare()
        self.client.create_user(UserName='settings')

    def one(self, n):
        self.client.put_user_policy(UserName='settings', PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': {
            'Sid': f'n{n}', 'Effect': 'Allow', 'Action': 'dynamodb:GetItem', 'Resource': '*'}}))

    def verify(self):
        try:
            found = self.client.get_user_policy(UserName='settings', PolicyName='p')['PolicyDocument']
        except self.client.exceptions.NoSuchEntityException:
            return self.settle(0)
        self.settle(int(found['Statement']['Sid'][1:]))


class Sessions(Subject):
    """A role's session, and what it may do."""

    def prepare(self):
        trust = json.dumps({'Version': '2012-10-17', 'Statement': {'Effect': 'Allow', 'Principal': {'AWS': f'arn:aws:iam::{harness.ACCOUNT}:root'}, 'Action': 'sts:AssumeRole'}})
        self.role = harness.make_role(self.server, 'sessions', trust=trust, inline={'Version': '2012-10-17', 'Statement': {
            'Effect': 'Allow', 'Action': 'iam:GetRole', 'Resource': '*'}})
        iam = self.server.client('iam')
        iam.create_user(UserName='sessions')
        iam.put_user_policy(UserName='sessions', PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': {
            'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Resource': '*'}}))
        key = iam.create_access_key(UserName='sessions')['AccessKey']
        self.client = self.server.client('sts', key['AccessKeyId'], key['SecretAccessKey'])

    def one(self, n):
        keys = self.client.assume_role(RoleArn=self.role, RoleSessionName=f's{n}')['Credentials']
        iam = self.server.client('iam', keys['AccessKeyId'], keys['SecretAccessKey'], keys['SessionToken'])
        assert iam.get_role(RoleName='sessions')['Role']['Arn'] == self.role
        iam.close()

    def verify(self):
        self.settle(self.acknowledged)

    def disconnect(self):
        self.client.close()


class Deployments(Subject):
    """A function whose setting changes: each change makes a new environment, which has it."""

    def prepare(self):
        harness.deploy_function(self.server, 'deployed', "import os\n\ndef handler(event, context):\n    return int(os.environ.get('NUMBER', '0'))\n")
        self.client = self.server.client('lambda')

    def invoked(self):
        answer = self.client.invoke(FunctionName='deployed')
        payload = answer['Payload'].read()
        if 'FunctionError' in answer:
            raise Refused(self, 'Invoke', 200, payload)
        return int(payload)

    def one(self, n):
        self.client.update_function_configuration(FunctionName='deployed', Environment={'Variables': {'NUMBER': str(n)}})
        assert self.invoked() == n

    def verify(self):
        self.settle(self.invoked())

    def disconnect(self):
        self.client.close()


class Inside(Subject):
    """A function in C that puts an item, through the endpoint within its sandbox; asked for by the gateway."""

    def prepare(self):
        self.dynamodb = self.server.client('dynamodb')
        self.dynamodb.create_table(TableName='inside', BillingMode='PAY_PER_REQUEST', AttributeDefinitions=[{'AttributeName': 'id', 'AttributeType': 'S'}],
                                   KeySchema=[{'AttributeName': 'id', 'KeyType': 'HASH'}])
        role = harness.make_role(self.server, 'inside', policies=[harness.LOGS_POLICY], inline={'Version': '2012-10-17', 'Statement': {
            'Effect': 'Allow', 'Action': 'dynamodb:*', 'Resource': '*'}})
        with open(harness.bootstrap('router'), 'rb') as f:
            harness.deploy_function(self.server, 'inside', None, runtime='provided.al2023', handler='any', files={'bootstrap': (f.read(), 0o755)}, role=role, Timeout=20)
        self.api = apis.Api(self.server, 'inside')
        self.api.function('/put', 'POST', 'inside', proxy=False)
        self.api.deploy('prod')

    def connect(self):
        self.http = http.client.HTTPConnection('127.0.0.1', self.server.port, timeout=30)

    def one(self, n):
        path = self.api.url('prod').removeprefix(self.server.url) + '/put'
        body = json.dumps({'operation': 'create', 'tableName': 'inside', 'payload': {'Item': {'id': 'slot', 'n': n}}})
        self.http.request('POST', path, body, {'Content-Type': 'application/json'})
        answer = self.http.getresponse()
        text = answer.read()
        if answer.status != 200 or b'errorMessage' in text:
            raise Refused(self, 'POST', answer.status, text)

    def verify(self):
        item = self.dynamodb.get_item(TableName='inside', Key={'id': {'S': 'slot'}}, ConsistentRead=True).get('Item')
        self.settle(int(item['n']['N']) if item else 0)

    def disconnect(self):
        self.http.close()
        self.dynamodb.close()
        self.api.client.close()


LOAD = (Rows, Slot, Counter, Counter, LogEvents, Tables, Roles, Settings, Sessions, Apis, Functions, Invocations, Deployments, Inside)


def blames_client(failure, kind):
    """Whether a refusal says that it is the client's fault. With a clock that jumps signatures are refused for their time."""
    if isinstance(failure, Refused):
        status, said = failure.status, str(failure)
    elif isinstance(failure, ClientError):
        status, said = failure.response['ResponseMetadata']['HTTPStatusCode'], str(failure)
    else:
        return False
    if kind.startswith('clock') and status in (400, 403) and any(word in said for word in ('Signature expired', 'not yet current', 'RequestExpired', 'ExpiredToken', 'expired')):
        return False
    if kind.startswith('library') and 'Could not unzip' in said:        # what libarchive makes of an allocation that failed
        return False
    return not (status >= 500 or status == 429 or (status == 200 and not isinstance(failure, ClientError)))


class Load:
    """A thread a subject. One that is refused looks at what there is, until it is answered, and goes on."""

    def __init__(self, server):
        self.server, self.subjects, self.kind = server, prepared(server, LOAD), ''
        self.steps, self.refused, self.wrong = dict.fromkeys(range(len(self.subjects)), 0), collections.Counter(), []
        self.stopped = threading.Event()

    def note(self, subject, failure):
        self.refused[type(subject).__name__] += 1
        self.last = f'{subject}: {failure!r}'
        if blames_client(failure, self.kind):
            self.wrong.append(f'{self.kind}: {subject}: {failure!r}')

    def recover(self, subject):
        while not self.stopped.is_set():
            try:
                subject.disconnect()
                subject.connect()
                if not isinstance(subject, Counter):
                    subject.verify()
                return
            except REFUSED as e:
                self.note(subject, e)
                time.sleep(0.01)

    def work(self, number, subject):
        try:
            while not self.stopped.is_set():
                try:
                    subject.step()
                    self.steps[number] += 1
                except REFUSED as e:
                    self.note(subject, e)
                    self.recover(subject)
        except BaseException as e:      # noqa: BLE001 - it belongs to the test, not to this thread
            self.wrong.append(f'{self.kind}: {subject}: {e!r} {traceback.format_exc()[-300:]}')

    def begin(self):
        self.stopped.clear()
        for subject in self.subjects:
            subject.may_clear = False       # which would be many writes at once
            subject.connect()
        self.threads = [threading.Thread(target=self.work, args=(i, subject), daemon=True) for i, subject in enumerate(self.subjects)]
        for thread in self.threads:
            thread.start()

    def end(self):
        """All have stopped, and what is there is what they know of."""
        self.stopped.set()
        for thread in self.threads:
            thread.join(timeout=90)
            assert not thread.is_alive(), 'a request hangs'
        for subject in self.subjects:
            subject.may_clear = True
            subject.disconnect()
            subject.connect()
            subject.verify()
            subject.disconnect()

    def stuck(self, before):
        return [repr(self.subjects[i]) for i in before if self.steps[i] == before[i]]


class Health(threading.Thread):
    """Asks again and again; `said` has each pair of words once, in their order. While nothing can be asked it says so itself."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.said, self.stopped = server, [], threading.Event()

    def ask(self):
        try:
            answer = harness.http('GET', self.server.url + '/_cloudless/health', timeout=10)
            return (answer.json['status'], answer.json['sandboxes']) if answer.status in (200, 503) else (str(answer.status), '')
        except (OSError, http.client.HTTPException, ValueError):
            return ('silent', '')

    def run(self):
        while not self.stopped.wait(0.02):
            said = self.ask()
            if not self.said or self.said[-1] != said:
                self.said.append(said)


class Rounds:
    """A server with faults, its load, and what was counted. `ended` by a round: the exit status and the last lines, if memory was out."""

    def __init__(self):
        self.faults = Faults()
        self.server = harness.Server(args=['--log', 'warn'])
        self.server.env = self.faults.env(self.server.data)
        self.server.start()
        self.load = Load(self.server)
        self.load.begin()
        time.sleep(1)
        self.load.end()
        assert not self.load.wrong and not self.load.refused, (self.load.wrong, self.load.last)
        self.calls = self.count = self.ends = self.rounds = 0
        self.failed = False

    def close(self):
        self.load.stopped.set()
        self.faults.stop()
        if self.server.process:
            self.server.kill()
        self.server.remove()

    def figures(self):
        return {'rounds': self.rounds, 'faults': self.count, 'steps': sum(self.load.steps.values()), 'refused': sum(self.load.refused.values()), 'ends': self.ends}

    def rest(self):
        client = self.server.client('lambda')
        for name in ('invoked', 'deployed', 'inside'):
            client.update_function_configuration(FunctionName=name, Description=str(time.monotonic()))     # environments go
        client.close()
        return at_rest(self.server, apart=0.2)

    def restart(self, kind):
        """The server has ended: only for want of memory, and with these words (but for libraries, which may take none for some: libarchive
        does); nothing of it is left."""
        status = self.server.process.wait()
        self.server.reader.join(10)
        said = ''.join(self.server.log[-20:])
        words = any(word in said for word in ('out of memory', 'bad_alloc', 'panic: '))
        memory = status == -signal.SIGABRT and words or kind == 'library allocation' and (status == -signal.SIGSEGV or 'libarchive: No memory' in said)
        assert 'allocation' in kind and memory, f'{kind}: the server ended with {status}:\n{said}'
        self.count += self.faults.stop()[1]
        self.traces.gone()
        self.server.log.clear()
        self.server.start()
        self.ends += 1

    def watch(self, kind, until):
        while not until():
            if self.server.process.poll() is not None:
                self.restart(kind)
            time.sleep(0.01)

    def round(self, kind, period, left, seconds, act=None):
        """Faults of a kind for so many seconds or faults; what health said. `act` is called meanwhile, with what is left of the time."""
        self.load.kind, self.rounds = f'{kind}, every {period}', self.rounds + 1
        self.traces, health = Traces(self.server), Health(self.server)
        health.start()
        if period:
            self.faults.set(kind, period, left)
        deadline = time.monotonic() + seconds
        if act:
            act()
        self.watch(kind, lambda: time.monotonic() > deadline or (period and self.faults.left(kind) <= 0))
        calls, faults = self.faults.stop()
        self.calls, self.count = self.calls + calls, self.count + faults
        before, deadline = dict(self.load.steps), time.monotonic() + ON_SECONDS
        self.watch(kind, lambda: not self.load.stuck(before) or self.load.wrong or time.monotonic() > deadline)
        assert not self.load.wrong, self.load.wrong[:5]
        assert not self.load.stuck(before), f'{self.load.kind}: these do not get on: {self.load.stuck(before)}; {self.load.last}'
        harness.until(lambda: health.ask() == ('ready', 'ready'), f'{self.load.kind}: health says {health.ask()}', ON_SECONDS)
        health.stopped.set()
        health.join()
        return health.said
