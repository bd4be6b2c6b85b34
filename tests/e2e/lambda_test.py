"""Lambda through boto3: functions, permissions, invocations, and how each way to fail is answered."""
import base64
import concurrent.futures
import contextlib
import glob
import hashlib
import io
import json
import os
import re
import subprocess
import threading
import time
import zipfile

import pytest
from botocore.exceptions import ClientError

import harness

ECHO = 'def handler(event, context):\n    return event\n'


@pytest.fixture(scope='module')
def fn(client):
    return client('lambda')


@pytest.fixture
def own_server():
    """own_server('--concurrency', '2'): a server of the test's own."""
    made = []

    def start(*args):
        made.append(harness.Server(args=args))
        return made[-1].start()
    yield start
    for server in made:
        print(*server.log[-30:], sep='')            # shown when the test fails
        server.stop()
        server.remove()


def invoke(fn, name, payload=None, **kw):
    answer = fn.invoke(FunctionName=name, Payload=json.dumps(payload if payload is not None else {}), **kw)
    return answer, json.loads(answer['Payload'].read())


def code_of(error):
    return error.value.response['Error']['Code'], error.value.response['ResponseMetadata']['HTTPStatusCode']


@pytest.mark.smoke
def test_function_is_invoked_and_stays_warm(fn, deploy_function, unique):
    name = unique('warm')
    deploy_function(name, 'import os\nn = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return [n, event, os.getpid()]\n')
    first, (n, event, _) = invoke(fn, name, {'a': [1, 'ä', None]})
    assert (n, event) == (1, {'a': [1, 'ä', None]})
    assert first['StatusCode'] == 200 and first['ExecutedVersion'] == '$LATEST' and 'FunctionError' not in first
    assert invoke(fn, name)[1][0] == 2


def test_configuration_is_answered_as_given(fn, deploy_function, unique):
    name = unique('config')
    arn = deploy_function(name, ECHO, Timeout=7, MemorySize=256, Description='d', Environment={'Variables': {'AB': 'b'}}, Tags={'k': 'v'})
    whole = fn.get_function(FunctionName=name)
    config = whole['Configuration']
    assert whole['Tags'] == {'k': 'v'}
    assert config['FunctionArn'] == arn == f'arn:aws:lambda:us-east-1:000000000000:function:{name}'
    assert (config['Timeout'], config['MemorySize'], config['Description'], config['State']) == (7, 256, 'd', 'Active')
    assert config['Environment'] == {'Variables': {'AB': 'b'}} and config['EphemeralStorage'] == {'Size': 512}
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000', config['LastModified'])
    assert fn.get_function_configuration(FunctionName=arn)['Handler'] == 'app.handler'
    assert name in [f['FunctionName'] for page in fn.get_paginator('list_functions').paginate() for f in page['Functions']]


def test_create_again_missing_and_delete(fn, deploy_function, unique):
    name = unique('twice')
    deploy_function(name, ECHO)
    with pytest.raises(ClientError, match=f'Function already exist: {name}') as e:
        deploy_function(name, ECHO)
    assert code_of(e) == ('ResourceConflictException', 409)
    fn.delete_function(FunctionName=name)
    with pytest.raises(ClientError, match=f'Function not found: arn:aws:lambda:us-east-1:000000000000:function:{name}') as e:
        invoke(fn, name)
    assert code_of(e) == ('ResourceNotFoundException', 404)


def test_the_tracing_header_reaches_the_function_and_the_caller(server, fn, deploy_function, unique):
    name, root = unique('trace'), 'Root=1-5759e988-bd862e3fe1be46a994272793'
    deploy_function(name, 'import os\ndef handler(event, context):\n    return os.environ["_X_AMZN_TRACE_ID"]\n')
    for given, seen in [(None, r'Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0'), (root, root + r';Parent=[0-9a-f]{16};Sampled=0'),
                        (root + ';Parent=53995c3f42cd8ad8;Sampled=1', root + ';Parent=53995c3f42cd8ad8;Sampled=1'), ('nonsense', r'Root=1-.*')]:
        caller = server.client('lambda')
        if given:
            caller.meta.events.register('before-send.lambda.Invoke', lambda request, given=given, **kw: request.headers.replace_header('X-Amzn-Trace-Id', given)
                                        if 'X-Amzn-Trace-Id' in request.headers else request.headers.__setitem__('X-Amzn-Trace-Id', given))
        answer, trace = invoke(caller, name)
        assert re.fullmatch(seen, trace)
        assert answer['ResponseMetadata']['HTTPHeaders']['x-amzn-trace-id'] == trace


def test_functions_of_other_accounts_and_regions(fn, deploy_function, unique):
    name = unique('here')
    deploy_function(name, ECHO)
    other = f'arn:aws:lambda:us-east-1:111111111111:function:{name}'
    for call in (fn.get_function, fn.invoke, fn.delete_function):
        with pytest.raises(ClientError, match=f'on resource: {other} because no resource-based policy allows the lambda:') as e:
            call(FunctionName=other)
        assert code_of(e) == ('AccessDeniedException', 403)
    with pytest.raises(ClientError, match="Functions from 'eu-west-1' are not reachable in this region \\('us-east-1'\\)"):
        fn.get_function(FunctionName=f'arn:aws:lambda:eu-west-1:000000000000:function:{name}')


def test_role_must_be_assumable_by_lambda(server, deploy_function, unique):
    trust = json.dumps({'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Principal': {'Service': 'ec2.amazonaws.com'}, 'Action': 'sts:AssumeRole'}]})
    role = harness.make_role(server, unique('ec2'), trust=trust)
    with pytest.raises(ClientError, match='The role defined for the function cannot be assumed by Lambda.') as e:
        deploy_function(unique('f'), ECHO, role=role)
    assert code_of(e) == ('InvalidParameterValueException', 400)


def user_with(server, name, *statements):
    iam = server.client('iam')
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': list(statements)}))
    key = iam.create_access_key(UserName=name)['AccessKey']
    return lambda service: server.client(service, access_key=key['AccessKeyId'], secret_key=key['SecretAccessKey'])


def test_role_must_be_passable(server, unique):
    name = unique('nopass')
    role = harness.make_role(server, 'test-logs-role', policies=[harness.LOGS_POLICY])
    mine = user_with(server, name, {'Effect': 'Allow', 'Action': 'lambda:*', 'Resource': '*'})
    with pytest.raises(ClientError) as e:
        mine('lambda').create_function(FunctionName=unique('f'), Runtime='python3.11', Handler='a.b', Role=role, Code={'ZipFile': harness.zip_of({'a.py': ''})})
    assert code_of(e) == ('AccessDeniedException', 403)
    assert str(e.value).endswith(f'User: arn:aws:iam::000000000000:user/{name} is not authorized to perform: iam:PassRole on resource: {role} '
                                 'because no identity-based policy allows the iam:PassRole action')


def test_invocation_is_authorised_by_identity_or_by_the_functions_policy(server, fn, deploy_function, unique):
    name, user = unique('invoke'), unique('invoker')
    arn = deploy_function(name, ECHO)
    mine = user_with(server, user, {'Effect': 'Allow', 'Action': 'sts:GetCallerIdentity', 'Resource': '*'})('lambda')
    with pytest.raises(ClientError, match='is not authorized to perform: lambda:InvokeFunction') as e:
        invoke(mine, name)
    assert code_of(e) == ('AccessDeniedException', 403)
    fn.add_permission(FunctionName=name, StatementId='u', Action='lambda:InvokeFunction', Principal=f'arn:aws:iam::000000000000:user/{user}')
    assert invoke(mine, name, {'a': 1})[1] == {'a': 1}
    with pytest.raises(ClientError, match='lambda:GetFunction'):
        mine.get_function(FunctionName=arn)


def link_info(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    info.create_system = 3
    return info


def evil_zip(kind):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z:
        if kind == 'traversal':
            z.writestr('../../escape.py', 'x')
        elif kind == 'absolute':
            z.writestr('/escape.py', 'x')
        elif kind == 'link':
            z.writestr(link_info('link'), '/etc/passwd')
        elif kind == 'climbing link':
            z.writestr(link_info('lib/link'), '../../app.py')
        elif kind == 'file and folder':
            z.writestr('lib', 'x')
            z.writestr('lib/app.py', 'x')
        elif kind == 'long name':
            z.writestr('n' * 256, 'x')
        elif kind == 'bomb':
            z.writestr('zeros', b'\0' * (263 << 20))
        elif kind == 'folders':
            for n in range(210):
                z.writestr(f'{n}/' + 'a/' * 500 + 'f', '')
        elif kind == 'truncated':
            z.writestr('app.py', 'x' * 1000)
    return out.getvalue()[:-30] if kind == 'truncated' else out.getvalue()


@pytest.mark.parametrize('kind, message', [
    ('traversal', 'Could not unzip'), ('absolute', 'Could not unzip'), ('link', 'Could not unzip'), ('climbing link', 'Could not unzip'),
    ('file and folder', 'Could not unzip'), ('long name', 'Could not unzip'), ('truncated', 'Could not unzip'),
    ('folders', 'Could not unzip'), ('bomb', 'Unzipped size must be smaller than 262144000 bytes'), ('empty', 'non-empty zip')])
def test_bad_packages_are_refused(server, fn, unique, kind, message):
    role = harness.make_role(server, 'test-logs-role', policies=[harness.LOGS_POLICY])
    name = unique('bad')
    with pytest.raises(ClientError, match=message) as e:
        fn.create_function(FunctionName=name, Runtime='python3.11', Handler='a.b', Role=role, Code={'ZipFile': evil_zip(kind)})
    assert code_of(e)[0] == 'InvalidParameterValueException'
    with pytest.raises(ClientError, match='Function not found'):
        fn.get_function(FunctionName=name)


@pytest.mark.parametrize('more, code', [
    ({'Timeout': 901}, 'ValidationException'), ({'MemorySize': 10241}, 'ValidationException'),
    ({'Environment': {'Variables': {'AWS_REGION': 'x'}}}, 'InvalidParameterValueException'),
    ({'Environment': {'Variables': {'AB': 'x' * 5000}}}, 'InvalidParameterValueException'),
    ({'Layers': ['arn:aws:lambda:us-east-1:000000000000:layer:l:1']}, 'NotImplemented'),
    ({'PackageType': 'Image'}, 'NotImplemented'), ({'TracingConfig': {'Mode': 'Active'}}, 'NotImplemented'), ({'KMSKeyArn': 'arn:aws:kms:us-east-1:000000000000:key/k'}, 'NotImplemented'), ({'Publish': True}, 'NotImplemented'),
    ({'runtime': 'nodejs20.x'}, 'InvalidParameterValueException'), ({'runtime': 'cobol85'}, 'InvalidParameterValueException')])
def test_parameters_that_are_refused(deploy_function, unique, more, code):
    with pytest.raises(ClientError) as e:
        deploy_function(unique('refused'), ECHO, **more)
    assert code_of(e)[0] in (code, code + 'Exception')


def test_links_and_modes_of_a_package_are_kept(fn, deploy_function, unique, server):
    """As on AWS, where what only its owner may read is none for the function."""
    name, out = unique('modes'), io.BytesIO()
    code = """
import os
def attempt(path):
    try:
        return open(path).read()
    except PermissionError as e:
        return 'PermissionError'
def handler(e, c):
    return [os.readlink('lib/current'), attempt('lib/current/data'), attempt('closed'), attempt('open'), os.access('tool', os.X_OK)]
"""
    with zipfile.ZipFile(out, 'w') as z:
        for path, content, mode in [('app.py', code, 0o644), ('lib/v1/data', 'data', 0o644), ('closed', 'secret', 0o600), ('open', 'open', 0o604), ('tool', '', 0o755)]:
            info = zipfile.ZipInfo(path)
            info.external_attr = (0o100000 | mode) << 16
            info.create_system = 3
            z.writestr(info, content)
        z.writestr(link_info('lib/current'), 'v1')
    role = harness.make_role(server, 'test-logs-role', policies=[harness.LOGS_POLICY])
    fn.create_function(FunctionName=name, Runtime='python3.11', Handler='app.handler', Role=role, Code={'ZipFile': out.getvalue()})
    assert invoke(fn, name)[1] == ['v1', 'data', 'PermissionError', 'open', True]


def test_answers_name_the_version_of_the_runtime_and_how_it_logs(fn, deploy_function, unique):
    name = unique('version')
    deploy_function(name, ECHO)
    whole = fn.get_function(FunctionName=name)['Configuration']
    for answer in (whole, fn.get_function_configuration(FunctionName=name), fn.update_function_configuration(FunctionName=name, Description='d')):
        assert re.fullmatch(r'arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}', answer['RuntimeVersionConfig']['RuntimeVersionArn'])
        assert answer['LoggingConfig'] == {'LogFormat': 'Text', 'LogGroup': f'/aws/lambda/{name}'}
    listed = next(f for page in fn.get_paginator('list_functions').paginate() for f in page['Functions'] if f['FunctionName'] == name)
    assert 'RuntimeVersionConfig' not in listed and listed['LoggingConfig'] == whole['LoggingConfig']


# ---- failures of the function itself ----

def failing(fn, deploy_function, name, code, **more):
    deploy_function(name, code, **more)
    answer, payload = invoke(fn, name)
    assert answer['StatusCode'] == 200 and answer['FunctionError'] == 'Unhandled'
    return payload


def test_handler_error(fn, deploy_function, unique):
    payload = failing(fn, deploy_function, unique('raises'), 'def handler(e, c):\n    raise ValueError("no " + e.get("x", "x"))\n')
    assert (payload['errorMessage'], payload['errorType']) == ('no x', 'ValueError')
    assert 'handler' in ''.join(payload['stackTrace']) and len(payload['requestId']) == 36


def test_import_error(fn, deploy_function, unique):
    payload = failing(fn, deploy_function, unique('import'), 'import nowhere\n')
    assert payload['errorType'] == 'Runtime.ImportModuleError'
    assert payload['errorMessage'] == "Unable to import module 'app': No module named 'nowhere'"


def test_missing_handler_and_syntax_error(fn, deploy_function, unique):
    payload = failing(fn, deploy_function, unique('handler'), 'x = 1\n')
    assert payload['errorType'] == 'Runtime.HandlerNotFound' and "Handler 'handler' missing on module 'app'" in payload['errorMessage']
    payload = failing(fn, deploy_function, unique('syntax'), 'def handler(:\n')
    assert payload['errorType'] == 'Runtime.UserCodeSyntaxError'


def test_answer_that_is_not_json(fn, deploy_function, unique):
    payload = failing(fn, deploy_function, unique('marshal'), 'def handler(e, c):\n    return {1, 2}\n')
    assert payload['errorType'] == 'Runtime.MarshalError' and 'set is not JSON serializable' in payload['errorMessage']


def test_exit_of_the_process(fn, deploy_function, unique):
    name = unique('exit')
    payload = failing(fn, deploy_function, name, 'import os\ndef handler(e, c):\n    if e.get("die", True): os._exit(3)\n    return "alive"\n')
    assert payload['errorType'] == 'Runtime.ExitError'
    assert re.fullmatch(r'RequestId: [0-9a-f-]{36} Error: Runtime exited with error: exit status 3', payload['errorMessage'])
    assert invoke(fn, name, {'die': False})[1] == 'alive'


def test_timeout(fn, deploy_function, unique):
    name = unique('slow')
    payload = failing(fn, deploy_function, name, 'import time\ndef handler(e, c):\n    time.sleep(e.get("s", 60))\n    return "done"\n', Timeout=1)
    assert payload['errorType'] == 'Sandbox.Timedout'
    assert re.fullmatch(r'RequestId: [0-9a-f-]{36} Error: Task timed out after 1.00 seconds', payload['errorMessage'])
    assert invoke(fn, name, {'s': 0})[1] == 'done'


def test_initialisation_past_its_limit_counts_on_the_functions_timeout(fn, deploy_function, unique):
    payload = failing(fn, deploy_function, unique('init'), 'import time\ntime.sleep(60)\n', Timeout=1)
    assert payload['errorType'] == 'Sandbox.Timedout' and 'Task timed out after 1.00 seconds' in payload['errorMessage']


def test_exit_during_initialisation(fn, deploy_function, unique):
    payload = failing(fn, deploy_function, unique('initexit'), 'import os\nos._exit(7)\n')
    assert payload['errorType'] == 'Runtime.ExitError' and 'exit status 7' in payload['errorMessage']


def test_out_of_memory(fn, deploy_function, unique):
    payload = failing(fn, deploy_function, unique('memory'), 'def handler(e, c):\n    x = bytearray(1 << 30)\n    return len(bytes(x))\n',
                      MemorySize=128, Timeout=60)
    assert payload['errorType'] in ('Runtime.OutOfMemory', 'MemoryError')


def test_answer_above_the_limit(fn, deploy_function, unique):
    payload = failing(fn, deploy_function, unique('large'), 'def handler(e, c):\n    return "x" * 6291600\n')
    assert payload['errorType'] == 'Function.ResponseSizeTooLarge' and '6291556' in payload['errorMessage']


def test_payloads(fn, deploy_function, unique):
    name = unique('payload')
    deploy_function(name, 'def handler(e, c):\n    return len(str(e))\n')
    assert fn.invoke(FunctionName=name)['Payload'].read() == b'2'
    with pytest.raises(ClientError, match='Could not parse request body into json') as e:
        fn.invoke(FunctionName=name, Payload=b'{"a":')
    assert code_of(e) == ('InvalidRequestContentException', 400)
    assert invoke(fn, name, 'x' * 6000000)[1] == 6000000
    with pytest.raises(ClientError, match='Could not parse request body into json'):
        fn.invoke(FunctionName=name, Payload=b'[' + b'1,' * 100000 + b']')
    with pytest.raises(ClientError) as e:
        invoke(fn, name, 'x' * 6291460)
    assert code_of(e) == ('RequestTooLargeException', 413)
    assert fn.invoke(FunctionName=name, InvocationType='DryRun')['StatusCode'] == 204
    with pytest.raises(ClientError, match='Event'):
        fn.invoke(FunctionName=name, InvocationType='Event')


def test_log_tail_and_log_events(client, fn, deploy_function, unique):
    name = unique('logs')
    deploy_function(name, 'import logging\ndef handler(e, c):\n    print("one", "two")\n    logging.getLogger().warning("warned")\n    return c.log_stream_name\n')
    answer, stream = invoke(fn, name, LogType='Tail')
    request = answer['ResponseMetadata']['RequestId']
    tail = base64.b64decode(answer['LogResult']).decode()
    assert re.search(rf'START RequestId: {request} Version: \$LATEST\none two\n\[WARNING\]\t\S+Z\t{request}\twarned\n'
                     rf'END RequestId: {request}\nREPORT RequestId: {request}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t'
                     r'Memory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t', tail)
    logs = client('logs')
    assert re.fullmatch(r'\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}', stream)
    deadline = time.monotonic() + 30
    while True:
        try:
            events = logs.get_log_events(logGroupName=f'/aws/lambda/{name}', logStreamName=stream, startFromHead=True)['events']
            if any(e['message'].startswith('REPORT') for e in events):
                break
        except logs.exceptions.ResourceNotFoundException:
            pass
        assert time.monotonic() < deadline, 'the events did not come'
    assert 'one two\n' in [e['message'] for e in events]


def events_of(client, name, stream, until):
    """The messages of an environment, when `until` is among them."""
    logs, deadline = client('logs'), time.monotonic() + 30
    while True:
        try:
            pages = logs.get_paginator('filter_log_events').paginate(logGroupName=f'/aws/lambda/{name}', logStreamNames=[stream])
            events = [e for page in pages for e in page['events']]
            if any(until(e['message']) for e in events):
                return events
        except logs.exceptions.ResourceNotFoundException:
            pass
        assert time.monotonic() < deadline, 'the events did not come'


def test_a_record_is_an_event(client, fn, deploy_function, unique):
    """Of the log channel, with its newlines and its own time; what is printed is an event a line."""
    name = unique('records')
    deploy_function(name, '''
import logging, os, sys, time
log = logging.getLogger()
log.setLevel(logging.INFO)
def handler(event, context):
    if event.get('raise'):
        raise ValueError('of\\ntwo lines')
    assert '_LAMBDA_TELEMETRY_LOG_FD' not in os.environ
    print('printed\\ntwice')
    sys.stderr.write('to stderr\\n')
    for text in ('two\\nlines', 'next', '', '\\u20ac \\n' + 'x' * 1100000, 'last'):
        log.info(text)
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception('failed')
    at = time.time()
    while time.time() < at + 0.3:
        pass
    return context.log_stream_name, at
''', Timeout=20)
    answer, (stream, at) = invoke(fn, name, LogType='Tail')
    request = answer['ResponseMetadata']['RequestId']
    answer, _ = invoke(fn, name, {'raise': True})
    second = answer['ResponseMetadata']['RequestId']
    events = events_of(client, name, stream, lambda m: m.startswith(f'REPORT RequestId: {second}'))
    messages = [e['message'] for e in events]
    assert [m for m in messages if m in ('printed\n', 'twice\n', 'to stderr\n')] == ['printed\n', 'twice\n', 'to stderr\n']
    records = [re.sub(r'\t\S+Z\t', '\t', m) for m in messages if '\t' in m and not m.startswith('REPORT')]
    info = f'[INFO]\t{request}\t'
    assert records[:3] == [info + 'two\nlines\n', info + 'next\n', info + '\n']
    piece = records[3]
    assert piece.startswith(info + '\u20ac \nxxx') and len(messages[messages.index(next(m for m in messages if '\u20ac' in m))].encode()) == 1048576 - 26
    rest = messages[next(i for i, m in enumerate(messages) if '\u20ac' in m) + 1]
    assert set(rest) == {'x', '\n'} and len(rest) + piece.count('x') == 1100001
    assert records[4] == info + 'last\n'
    assert re.fullmatch(rf'\[ERROR\]\t{request}\tfailed\nTraceback \(most recent call last\):\n(.*\n)+ZeroDivisionError: .*', records[5])
    assert any(re.match(r'\[ERROR\] ValueError: of\ntwo lines\nTraceback', m) for m in messages)
    assert all('\r' not in m for m in messages)
    said = next(e['timestamp'] for e in events if 'failed' in e['message'])
    assert said <= at * 1000 + 1, 'a record has the time when it was written'


def test_a_damaged_log_channel(client, fn, deploy_function, unique):
    """What is no frame is text; a time that cannot be is not believed; a frame that claims more than comes takes the rest."""
    name = unique('frames')
    deploy_function(name, '''
import os, struct
def frame(message, time_us, kind=3):
    return b'\\xa5\\x5a\\x00' + struct.pack('>BIQ', kind, len(message), time_us) + message
def handler(event, context):
    write = lambda data: os.write(3, data)
    write(b'no frame\\n\\xa5\\x5a\\xa5')
    write(frame(b'of the future\\nand so on', 1 << 63) + frame(b'of the past', 1) + b'text without an end')
    write(frame(b'', 0))
    for byte in frame(b'byte by byte', 0):
        write(bytes([byte]))
    write(b'\\xa5\\x5a\\x00\\x01' + struct.pack('>I', 5) + b'short')
    if event.get('end'):
        write(b'\\xa5\\x5a\\x00\\x03' + struct.pack('>IQ', 0xffffffff, 0) + b'claims more')
        os._exit(1)
    return context.log_stream_name
''')
    began = time.time() * 1000 - 60000
    _, stream = invoke(fn, name)
    invoke(fn, name, {'end': True})
    events = events_of(client, name, stream, lambda m: m == 'claims more')
    assert all(began < e['timestamp'] <= time.time() * 1000 + 1000 for e in events)
    messages = [e['message'] for e in events if not re.match('INIT_|START|END|REPORT|RequestId', e['message'])]
    once = ['no frame\n', '\ufffdZ\ufffd', 'of the future\nand so on', 'of the past', 'text without an end', 'byte by byte', 'short']
    assert messages == once * 2 + ['claims more']


def test_no_logs_without_permission(server, client, fn, deploy_function, unique):
    name, other = unique('silent'), unique('loud')
    role = harness.make_role(server, unique('nothing'))
    deploy_function(name, 'def handler(e, c):\n    print("unheard")\n', role=role)
    deploy_function(other, 'def handler(e, c):\n    print("heard")\n')
    invoke(fn, name)
    invoke(fn, other)
    logs = client('logs')
    deadline = time.monotonic() + 30
    while not logs.describe_log_groups(logGroupNamePrefix=f'/aws/lambda/{other}')['logGroups']:
        assert time.monotonic() < deadline
    assert not logs.describe_log_groups(logGroupNamePrefix=f'/aws/lambda/{name}')['logGroups']


def test_a_group_that_may_not_be_made(server, client, fn, deploy_function, unique):
    """The role may write to its streams only: nothing is logged before somebody makes the group, and the server says so once."""
    name = unique('no-group')
    role = harness.make_role(server, unique('streams'))
    server.client('iam').put_role_policy(RoleName=role.rsplit('/', 1)[1], PolicyName='streams', PolicyDocument=json.dumps({
        'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': ['logs:CreateLogStream', 'logs:PutLogEvents'], 'Resource': '*'}]}))
    deploy_function(name, 'def handler(e, c):\n    print("said", e)\n    return c.log_stream_name\n', role=role)
    said = lambda: [line for line in server.log if 'logs.no_group' in line and f'group=/aws/lambda/{name} ' in line]
    invoke(fn, name)
    harness.until(said)
    invoke(fn, name)
    client('logs').create_log_group(logGroupName=f'/aws/lambda/{name}')
    _, stream = invoke(fn, name, 'heard')
    events_of(client, name, stream, lambda m: m == 'said heard\n')
    assert len(said()) == 1


def test_documented_environment_and_isolation(fn, deploy_function, unique):
    name = unique('env')
    deploy_function(name, '''
import os, socket
def attempt(f):
    try:
        return repr(f())
    except Exception as e:
        return type(e).__name__
def handler(e, c):
    return {'env': dict(os.environ), 'uid': os.getuid(), 'pids': [p for p in os.listdir('/proc') if p.isdigit()],
            'write': attempt(lambda: open('/var/task/x', 'w')), 'tmp': attempt(lambda: open('/tmp/x', 'w').write('x')),
            'home': attempt(lambda: os.listdir('/root')), 'out': attempt(lambda: socket.create_connection(('127.0.0.1', e['port']), 2)),
            'arn': c.invoked_function_arn, 'left': c.get_remaining_time_in_millis(), 'memory': c.memory_limit_in_mb}
''', Environment={'Variables': {'MINE': 'yes'}})
    port = int(fn.meta.endpoint_url.rsplit(':', 1)[1])
    seen = invoke(fn, name, {'port': port})[1]
    env = seen['env']
    assert env['MINE'] == 'yes' and env['_HANDLER'] == 'app.handler' and env['AWS_EXECUTION_ENV'] == 'AWS_Lambda_python3.11'
    assert env['AWS_LAMBDA_FUNCTION_NAME'] == name and env['AWS_LAMBDA_FUNCTION_VERSION'] == '$LATEST'
    assert env['AWS_ACCESS_KEY_ID'].startswith('ASIA') and env['AWS_REGION'] == 'us-east-1' and env['LAMBDA_TASK_ROOT'] == '/var/task'
    assert not any(k.startswith('CLOUDLESS') for k in env)
    assert seen['uid'] == 993 and len(seen['pids']) <= 3
    assert seen['write'] == 'OSError' and seen['tmp'] == '1' and seen['home'] in ('PermissionError', 'FileNotFoundError')
    assert seen['out'] == 'ConnectionRefusedError', 'the server outside is not reachable at its own port'
    assert seen['arn'].endswith(f':function:{name}') and 0 < seen['left'] <= 3000 and int(seen['memory']) == 128


def test_credentials_are_the_roles(server, fn, deploy_function, client, unique):
    table, name = unique('table'), unique('role')
    client('dynamodb').create_table(TableName=table, BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'id', 'KeyType': 'HASH'}],
                                    AttributeDefinitions=[{'AttributeName': 'id', 'AttributeType': 'S'}])
    role_name = unique('reader')
    role = harness.make_role(server, role_name, inline={'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Action': 'dynamodb:GetItem', 'Resource': '*'}]})
    deploy_function(name, f'''
import boto3
table = boto3.resource('dynamodb').Table('{table}')
def handler(e, c):
    who = boto3.client('sts').get_caller_identity()['Arn']
    table.get_item(Key={{'id': '1'}})
    try:
        table.put_item(Item={{'id': '1'}})
    except Exception as error:
        return [who, str(error)]
''', role=role, Timeout=30)
    who, error = invoke(fn, name)[1]
    assert who == f'arn:aws:sts::000000000000:assumed-role/{role_name}/{name}'
    assert 'AccessDeniedException' in error and f'User: {who} is not authorized to perform: dynamodb:PutItem' in error


def test_update_takes_effect_at_the_next_invocation(fn, deploy_function, unique):
    name = unique('update')
    deploy_function(name, 'def handler(e, c):\n    return 1\n')
    assert invoke(fn, name)[1] == 1
    fn.update_function_code(FunctionName=name, ZipFile=harness.zip_of({'app.py': 'import os\ndef handler(e, c):\n    return os.environ.get("XX", 2)\n'}))
    assert invoke(fn, name)[1] == 2
    fn.update_function_configuration(FunctionName=name, Environment={'Variables': {'XX': 'three'}}, Timeout=9)
    assert invoke(fn, name)[1] == 'three'
    assert fn.get_function_configuration(FunctionName=name)['Timeout'] == 9


def test_where_a_version_would_be_published_is_refused_by_name(fn, deploy_function, unique):
    name = unique('published')
    deploy_function(name, ECHO)
    with pytest.raises(ClientError, match='PublishTo') as e:
        fn.update_function_code(FunctionName=name, ZipFile=harness.zip_of({'app.py': ECHO}), PublishTo='LATEST_PUBLISHED')
    assert code_of(e) == ('NotImplemented', 501)


def test_concurrent_invocations_get_environments_of_their_own(fn, server, deploy_function, unique):
    name = unique('parallel')
    deploy_function(name, 'import os, time\nimport uuid\nwho = str(uuid.uuid4())\ndef handler(e, c):\n    time.sleep(1.5)\n    return who\n', Timeout=30)
    invoke(fn, name)
    client = server.client('lambda', max_pool_connections=4)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: invoke(client, name)[1], range(4)))
    assert len(set(seen)) >= 2


def test_throttled_above_the_bound(unique):
    server = harness.Server(args=['--concurrency', '1']).start()
    try:
        harness.deploy_function(server, 'f', 'import time\ndef handler(e, c):\n    time.sleep(2)\n')
        client = server.client('lambda', max_pool_connections=4)

        def status(_):
            try:
                return invoke(client, 'f')[0]['StatusCode']
            except ClientError as e:
                return e.response['Error']['Code']
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            seen = list(pool.map(status, range(4)))
        assert sorted(map(str, set(seen))) == ['200', 'TooManyRequestsException']
    finally:
        server.stop()
        server.remove()


def in_parallel(count, f):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(f, range(count)))


def test_idle_environments_make_room_for_other_functions(own_server):
    """No more environments than invocations may run at a time; an idle one is retired for who has none, and nobody gets 429."""
    server = own_server('--concurrency', '2')
    client = server.client('lambda', max_pool_connections=4)
    for name in 'abcde':
        harness.deploy_function(server, name, 'import uuid\nwho = uuid.uuid4().hex\ndef handler(e, c):\n    return who\n')
    first = {name: invoke(client, name)[1] for name in 'abcde'}
    assert len(set(first.values())) == 5
    assert invoke(client, 'e')[1] == first['e'], 'the newest is still warm'
    assert invoke(client, 'a')[1] != first['a'], 'the oldest was retired'
    for i in range(6):
        assert len(set(in_parallel(2, lambda n: invoke(client, 'abcde'[(i + 2 * n) % 5])[1]))) == 2


def test_invocations_while_a_function_is_changed_and_deleted(server, fn, deploy_function, unique):
    """Each answer is that of some version, or that there is no such function; the last version is seen at once."""
    name = unique('churn')
    code = lambda n: f'def handler(e, c):\n    return {n}\n'
    deploy_function(name, code(0))
    stop, odd, seen = threading.Event(), [], set()

    def invoke_on():
        mine = server.client('lambda')
        while not stop.is_set():
            try:
                answer, value = invoke(mine, name)
                if 'FunctionError' in answer:
                    odd.append(value)
                else:
                    seen.add(value)
            except mine.exceptions.ResourceNotFoundException:
                pass
            except Exception as e:
                odd.append(e)
    threads = [threading.Thread(target=invoke_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(1, 13):
        if n % 4 == 0:
            fn.delete_function(FunctionName=name)
            deploy_function(name, code(n))
        else:
            fn.update_function_code(FunctionName=name, ZipFile=harness.zip_of({'app.py': code(n)}))
            fn.update_function_configuration(FunctionName=name, Timeout=3 + n)
        assert invoke(fn, name)[1] == n
    stop.set()
    for thread in threads:
        thread.join()
    assert not odd and {4, 8} <= seen <= set(range(13))


def test_running_invocations_are_answered_before_the_server_ends(own_server):
    server = own_server()
    harness.deploy_function(server, 'f', 'import time\ndef handler(e, c):\n    print("runs", flush=True)\n    time.sleep(1.5)\n    return e\n', Timeout=20)
    client = server.client('lambda', max_pool_connections=4)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        running = [pool.submit(invoke, client, 'f', n) for n in range(3)]
        harness.until(lambda: server.client('logs').describe_log_groups()['logGroups'])
        server.process.terminate()
        assert [r.result()[1] for r in running] == [0, 1, 2]
    assert server.process.wait(60) == 0
    server.start()
    assert invoke(server.client('lambda'), 'f', 4)[1] == 4


HOLD = '''#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/9001
printf 'GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' >&3
read -r line <&3
exec sleep 98732
'''


def test_throttled_when_every_environment_is_busy():
    """256 of them, below the account's concurrency: who has none gets 429 at once, not a place in a queue."""
    server = harness.Server(args=['--concurrency', '400']).start()
    client = server.client('lambda', max_pool_connections=300, read_timeout=120)
    for name in ('hold', 'late'):
        harness.deploy_function(server, name, None, runtime='provided.al2023', handler='any', files={'bootstrap': (HOLD, 0o755)}, Timeout=120)

    def hold():
        with contextlib.suppress(Exception):        # the server is killed while they wait
            client.invoke(FunctionName='hold')
    try:
        for _ in range(256):
            threading.Thread(target=hold, daemon=True).start()
        harness.until(lambda: harness.processes('sleep', '98732') == 256, seconds=110)
        with pytest.raises(ClientError) as e:
            client.invoke(FunctionName='late')
        assert code_of(e) == ('TooManyRequestsException', 429)
    finally:
        server.kill()
        server.remove()


def test_throttling_answer(own_server):
    """The account's concurrency is used up: status, headers and body as AWS's model has them."""
    server = own_server('--concurrency', '1')
    harness.deploy_function(server, 'f', 'import time\ndef handler(e, c):\n    time.sleep(e["s"])\n', Timeout=30)
    client = server.client('lambda', max_pool_connections=4)
    invoke(client, 'f', {'s': 0})

    def occupy():
        while True:                 # it may be the one that is refused, at first
            with contextlib.suppress(ClientError):
                return invoke(client, 'f', {'s': 2})
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(occupy)
        answer = None
        while not answer:
            assert not slow.done()
            try:
                invoke(client, 'f', {'s': 0})
            except ClientError as e:
                answer = e.response
        assert slow.result()[0]['StatusCode'] == 200
    meta = answer['ResponseMetadata']
    assert meta['HTTPStatusCode'] == 429 and meta['HTTPHeaders']['x-amzn-errortype'] == 'TooManyRequestsException'
    assert meta['HTTPHeaders']['retry-after'] == '1' == answer['retryAfterSeconds']
    assert (answer['Reason'], answer['message'], answer['Type']) == ('ConcurrentInvocationLimitExceeded', 'Rate Exceeded.', 'User')
    assert invoke(client, 'f', {'s': 0})[0]['StatusCode'] == 200


def test_headers_of_an_invocation(fn, deploy_function, unique):
    name = unique('headers')
    deploy_function(name, 'def handler(e, c):\n    print("said")\n    return 1 / e["n"]\n')
    fine = fn.invoke(FunctionName=name, Payload=b'{"n": 2}', LogType='Tail')['ResponseMetadata']['HTTPHeaders']
    assert fine['x-amz-executed-version'] == '$LATEST' and 'x-amz-function-error' not in fine and re.fullmatch(r'[0-9a-f-]{36}', fine['x-amzn-requestid'])
    assert fine['content-type'] == 'application/json' and 'said' in base64.b64decode(fine['x-amz-log-result']).decode()
    bad = fn.invoke(FunctionName=name, Payload=b'{"n": 0}')['ResponseMetadata']['HTTPHeaders']
    assert bad['x-amz-function-error'] == 'Unhandled' and bad['x-amz-executed-version'] == '$LATEST' and 'x-amz-log-result' not in bad


def test_a_payload_that_is_too_large(fn, deploy_function, unique):
    name = unique('toolarge')
    deploy_function(name, ECHO)
    with pytest.raises(ClientError) as e:
        fn.invoke(FunctionName=name, Payload=b'"' + b'x' * 6291455 + b'"')
    answer = e.value.response
    assert answer['ResponseMetadata']['HTTPStatusCode'] == 413 and answer['Error']['Code'] == 'RequestTooLargeException'
    assert answer['message'] == '6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)'
    assert answer['Type'] == 'User' and answer['ResponseMetadata']['HTTPHeaders']['x-amzn-errortype'] == 'RequestTooLargeException'


# ---- packages on disk ----

def cached(server):
    return {os.path.basename(p) for p in glob.glob(server.data + '/cache/*-*-*-*-*/*') if len(os.path.basename(p)) == 64}


def blob_of(files):
    return hashlib.sha256(harness.zip_of(files)).hexdigest()


def test_code_is_unpacked_before_the_first_invocation(own_server):
    server = own_server()
    code = {name: f'def handler(e, c):\n    return "{name}"\n' for name in ('first', 'second', 'dry')}
    arn = harness.deploy_function(server, 'f', code['first'])
    harness.until(lambda: cached(server) == {blob_of({'app.py': code['first']})}, 'after CreateFunction')
    update = server.client('lambda').update_function_code
    update(FunctionName=arn, ZipFile=harness.zip_of({'app.py': code['dry']}), DryRun=True)
    update(FunctionName=arn, ZipFile=harness.zip_of({'app.py': code['second']}))
    harness.until(lambda: cached(server) == {blob_of({'app.py': code['second']})}, 'after UpdateFunctionCode')


def test_packages_that_nothing_refers_to_go(own_server):
    """Unpacked code soon after a delete or an update; packages after an hour, here made older than they are, and at a restart."""
    server = own_server()
    client = server.client('lambda')
    code = {name: f'def handler(e, c):\n    return "{name}"\n' for name in ('kept', 'old', 'new', 'gone')}
    blob = {name: blob_of({'app.py': text}) for name, text in code.items()}
    for name, text in (('k', 'kept'), ('u', 'old'), ('d', 'gone')):
        harness.deploy_function(server, name, code[text])
        assert invoke(client, name)[1] == text
    assert cached(server) == {blob['kept'], blob['old'], blob['gone']}
    client.update_function_code(FunctionName='u', ZipFile=harness.zip_of({'app.py': code['new']}))
    client.delete_function(FunctionName='d')
    harness.until(lambda: cached(server) == {blob['kept'], blob['new']}, 'the new code is there before it is invoked, the old is gone')
    assert invoke(client, 'u')[1] == 'new'
    path = lambda name: f'{server.data}/blobs/{blob[name]}'
    assert all(os.path.exists(path(name)) for name in code), 'young packages may belong to a call that is not committed'
    server.kill()
    for name in code:
        os.utime(path(name), (0, 0))
    os.makedirs(f'{server.data}/cache/00000000-0000-0000-0000-000000000000/{blob["kept"]}')      # of before the machine's last start
    os.makedirs(f'{server.data}/cache/work-00000000/new-1')                                         # of a server that was killed
    server.start()
    harness.until(lambda: not os.path.exists(path('old')) and not os.path.exists(path('gone')))
    assert os.path.exists(path('kept')) and os.path.exists(path('new'))
    harness.until(lambda: len(os.listdir(server.data + '/cache')) == 2)
    client = server.client('lambda')
    assert [invoke(client, name)[1] for name in 'ku'] == ['kept', 'new']
    server.stop()
    assert len(os.listdir(server.data + '/cache')) == 1


def test_download_by_the_location_of_the_code(fn, server, deploy_function, unique):
    name = unique('download')
    deploy_function(name, ECHO)
    code = fn.get_function(FunctionName=name)['Code']
    assert code['RepositoryType'] == 'S3'
    url = code['Location']
    answer = harness.http('GET', url)
    assert answer.status == 200 and answer.body == harness.zip_of({'app.py': ECHO}) and answer.headers['Content-Type'] == 'application/zip'
    head = harness.http('HEAD', url)
    assert head.status == 200 and head.body == b''
    assert harness.http('POST', url, b'').status == 405
    other = hashlib.sha256(b'').hexdigest()
    blob = url.split('?')[0].rpartition('/')[2]
    late = url.replace(re.search('X-Amz-Date=([0-9T]+)Z', url).group(1), '20990101T000000')
    for bad in (url[:-1] + ('0' if url[-1] != '0' else '1'), url.split('?')[0], url.split('&X-Amz-Signature')[0], late, url + 'a',
                url.replace('Expires=600', 'Expires=60000'), url.replace(blob, other), url.replace(blob, '../credentials')):
        answer = harness.http('GET', bad)
        assert answer.status == 403 and '<Code>SignatureDoesNotMatch</Code>' in answer.text, bad


def test_permissions_of_a_function(fn, deploy_function, unique):
    name = unique('policy')
    arn = deploy_function(name, ECHO)
    with pytest.raises(ClientError, match='The resource you requested does not exist.'):
        fn.get_policy(FunctionName=name)
    add = dict(FunctionName=name, StatementId='s1', Action='lambda:InvokeFunction', Principal='apigateway.amazonaws.com',
               SourceArn='arn:aws:execute-api:us-east-1:000000000000:abc/*/*')
    statement = json.loads(fn.add_permission(**add)['Statement'])
    assert statement == {'Sid': 's1', 'Effect': 'Allow', 'Principal': {'Service': 'apigateway.amazonaws.com'}, 'Action': 'lambda:InvokeFunction',
                         'Resource': arn, 'Condition': {'ArnLike': {'AWS:SourceArn': 'arn:aws:execute-api:us-east-1:000000000000:abc/*/*'}}}
    with pytest.raises(ClientError, match=r'The statement id \(s1\) provided already exists') as e:
        fn.add_permission(**add)
    assert code_of(e) == ('ResourceConflictException', 409)
    policy = json.loads(fn.get_policy(FunctionName=name)['Policy'])
    assert policy['Id'] == 'default' and policy['Statement'] == [statement]
    fn.remove_permission(FunctionName=name, StatementId='s1')
    with pytest.raises(ClientError, match='No policy is associated with the given resource.'):
        fn.remove_permission(FunctionName=name, StatementId='s1')


def test_tags(fn, deploy_function, unique):
    arn = deploy_function(unique('tags'), ECHO, Tags={'a': '1'})
    fn.tag_resource(Resource=arn, Tags={'b': '2'})
    fn.untag_resource(Resource=arn, TagKeys=['a'])
    assert fn.list_tags(Resource=arn)['Tags'] == {'b': '2'}


PYTHONS = ['python3.9', 'python3.10', 'python3.11', 'python3.12', 'python3.13']


@pytest.mark.parametrize('runtime', PYTHONS)
def test_every_python_that_is_here(server, fn, deploy_function, unique, runtime):
    listed = subprocess.run([harness.BINARY, 'runtime', 'list'], capture_output=True, text=True, check=True).stdout
    state = next(line.split()[0] for line in listed.splitlines() if line.split()[1] == runtime)
    name = unique(runtime.replace('.', '-'))
    code = 'import sys, boto3\ndef handler(e, c):\n    return "%d.%d" % sys.version_info[:2]\n'
    if state != 'ok':
        with pytest.raises(ClientError, match=f'The runtime {runtime} has no interpreter on this machine'):
            deploy_function(name, code, runtime=runtime)
        return
    deploy_function(name, code, runtime=runtime, Timeout=30)
    assert invoke(fn, name)[1] == runtime[len('python'):]


def test_provided_runtime_runs_an_executable(fn, deploy_function, unique):
    name = unique('provided')
    bootstrap = '''#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while true; do
    event=$(curl -sS -D /tmp/headers "$api/next")
    id=$(grep -i lambda-runtime-aws-request-id /tmp/headers | tr -d '\\r' | cut -d' ' -f2)
    curl -sS -d "{\\"got\\":$event}" "$api/$id/response" >/dev/null
done
'''
    deploy_function(name, None, runtime='provided.al2023', handler='any', files={'bootstrap': (bootstrap, 0o755)})
    assert invoke(fn, name, {'x': 1})[1] == {'got': {'x': 1}}


# ---- variables ----

OWN_VARIABLES = {'TZ': 'Europe/Berlin', 'PATH': '/var/task/bin:/usr/bin:/bin', 'PYTHONPATH': '/var/task/more', 'LANG': 'de_DE.UTF-8',
                 'AWS_XRAY_CONTEXT_MISSING': 'RUNTIME_ERROR', 'LD_LIBRARY_PATH': '/var/task/lib', 'AWS_ENDPOINT_URL': 'http://127.0.0.1:4566/', 'MINE': 'yes'}
VARIABLES_PY = """
import os
def handler(e, c):
    with open('/proc/self/environ') as f:
        return {'seen': [k + '=' + v for k, v in os.environ.items()], 'entries': f.read().split('\\0')[:-1], 'path': __import__('sys').path}
"""
VARIABLES_C = """
#include "cloudless/function.h"
#include <stdio.h>
#include <string.h>
extern char **environ;
static char before[65536];
static size_t before_bytes;
static void handler(cl_context *ctx, cl_str event, cl_answer *answer)
{
    (void)event;
    cl_json *out = cl_json_object(ctx->arena), *seen = cl_json_array(ctx->arena), *entries = cl_json_array(ctx->arena);
    for (char **v = environ; *v; v++)
        cl_json_append(seen, cl_json_string(ctx->arena, cl_str_of(*v)));
    for (size_t at = 0; at < before_bytes; at += strlen(before + at) + 1)
        cl_json_append(entries, cl_json_string(ctx->arena, cl_str_of(before + at)));
    cl_json_set(out, "seen", seen);
    cl_json_set(out, "entries", entries);
    cl_answer_json(answer, out);
}
int main(void)
{
    FILE *file = fopen("/proc/self/environ", "r");
    before_bytes = file ? fread(before, 1, sizeof before - 1, file) : 0;
    return cl_run(handler, NULL);
}
"""


@pytest.fixture(scope='module')
def variables_program(tmp_path_factory):
    folder = tmp_path_factory.mktemp('variables')
    (folder / 'variables.c').write_text(VARIABLES_C)
    archive = harness.function_archive()
    subprocess.run(['gcc', '-std=c11', '-Wall', '-Wextra', '-Werror', '-I', os.path.join(harness.ROOT, 'include'), '-o', folder / 'bootstrap', folder / 'variables.c',
                    archive, '-Wl,--gc-sections', '-l:libssl.a', '-l:libcrypto.a', '-lpthread', '-ldl'], check=True)
    return (folder / 'bootstrap').read_bytes()


@pytest.mark.parametrize('language', ['python', 'c'])
def test_a_functions_own_variables_win_over_those_that_are_not_reserved(fn, deploy_function, unique, language, variables_program):
    name, own = unique('variables'), {**OWN_VARIABLES}
    if language == 'python':
        deploy_function(name, VARIABLES_PY, Environment={'Variables': own})
    else:
        deploy_function(name, None, runtime='provided.al2023', files={'bootstrap': (variables_program, 0o755)}, Environment={'Variables': own})
    answer, seen = invoke(fn, name)
    assert 'FunctionError' not in answer, seen
    names = [entry.partition('=')[0] for entry in seen['entries']]
    assert sorted(names) == sorted(set(names)), 'each name once'
    for entries in (seen['seen'], seen['entries']):
        variables = dict(entry.split('=', 1) for entry in entries)
        assert {k: variables.get(k) for k in own} == own
        assert variables['AWS_LAMBDA_FUNCTION_NAME'] == name and variables['LAMBDA_TASK_ROOT'] == '/var/task'
    if language == 'python':
        assert '/var/task/more' in seen['path']


def test_reserved_variables_are_refused_by_name(fn, deploy_function, unique):
    name = unique('reserved')
    deploy_function(name, ECHO)
    variables = {'AWS_REGION': 'x', 'FINE': 'x', 'LAMBDA_TASK_ROOT': 'x'}
    for call in (lambda: deploy_function(unique('reserved'), ECHO, Environment={'Variables': variables}),
                 lambda: fn.update_function_configuration(FunctionName=name, Environment={'Variables': variables})):
        with pytest.raises(ClientError) as e:
            call()
        assert code_of(e) == ('InvalidParameterValueException', 400)
        assert e.value.response['Error']['Message'] == (
            'Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys '
            'that are currently not supported for modification. Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT')


def test_an_environment_that_was_given_empty_is_answered_empty(fn, deploy_function, unique):
    name = unique('none')
    deploy_function(name, ECHO, Environment={'Variables': {}})
    assert fn.get_function_configuration(FunctionName=name)['Environment'] == {'Variables': {}}
    fn.update_function_configuration(FunctionName=name, Environment={'Variables': {'AB': 'b'}})
    assert fn.update_function_configuration(FunctionName=name, Environment={})['Environment'] == {'Variables': {}}
    other = unique('without')
    deploy_function(other, ECHO)
    assert 'Environment' not in fn.get_function_configuration(FunctionName=other)
