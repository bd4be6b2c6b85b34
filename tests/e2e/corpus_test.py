"""AWS's documented and recorded answers (tests/corpus, each case with its source) against a running server: API Gateway's events
and answers, how services refuse callers, what AWS-managed policies grant, what functions find and how they fail, what CloudWatch Logs answers."""
import datetime
import http.client
import json
import os
import re
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from botocore.exceptions import ClientError

import harness
from apis import Api

CORPUS = os.path.join(harness.ROOT, 'tests', 'corpus')


def read(name):
    with open(os.path.join(CORPUS, name)) as file:
        return json.load(file)


def cases(name, key='cases', title='name'):
    return [pytest.param(case, id=str(case[title])) for case in read(name)[key]]


def test_every_case_names_its_source():
    for folder, _, names in os.walk(CORPUS):
        for name in (n for n in names if n.endswith('.json')):
            corpus = read(os.path.join(folder, name))
            listed = next((v for k, v in corpus.items() if k in ('cases', 'policies')), [])
            assert all(c.get('source') or corpus.get('source') or corpus.get('about') for c in listed), name
            assert listed or corpus.get('source'), name


# ---- API Gateway ----

FUNCTION = '''
import json, time
def handler(event, context):
    proxied = isinstance(event, dict) and 'requestContext' in event
    given = event['headers'].get('X-Answer') if proxied else None
    wanted = json.loads(given) if given else event
    if isinstance(wanted, dict) and 'raise' in wanted: raise ValueError(wanted['raise'])
    if isinstance(wanted, dict) and 'sleep' in wanted: time.sleep(wanted['sleep'])
    return {'statusCode': 200, 'body': json.dumps(event)} if proxied and not given else wanted
'''


@pytest.fixture(scope='module')
def stage(server, deploy_function):
    """The corpus's API, deployed: (host, port, path of its stage without the stage's name)."""
    deploy_function('corpus-gateway', FUNCTION, permission=True, Timeout=10)
    api = Api(server, 'corpus')
    for row in read('gateway/answers.json')['methods']:
        if row['type'] == 'MOCK':
            integration = {'type': 'MOCK'}
        else:
            arn = f'arn:aws:lambda:{harness.REGION}:{harness.ACCOUNT}:function:corpus-gateway'
            integration = {'type': row['type'], 'integrationHttpMethod': 'POST', 'timeoutInMillis': row.get('timeout_ms', 29000),
                           'uri': f'arn:aws:apigateway:{harness.REGION}:lambda:path/2015-03-31/functions/{arn}/invocations'}
        if 'template' in row:
            integration['requestTemplates'] = {'application/json': row['template']}
        if 'passthrough' in row:
            integration['passthroughBehavior'] = row['passthrough']
        at = api.at(row['path'], row['method'])
        api.method(row['path'], row['method'])
        api.client.put_integration(**at, **integration)
        for status, response in row.get('responses', {}).items():
            headers = {f'method.response.header.{name}': value for name, value in response.get('headers', {}).items()}
            more = {'selectionPattern': response['pattern']} if 'pattern' in response else {}
            if 'body' in response:
                more['responseTemplates'] = {'application/json': response['body']}
            api.client.put_method_response(**at, statusCode=status, responseParameters=dict.fromkeys(headers, False))
            api.client.put_integration_response(**at, statusCode=status, responseParameters=headers, **more)
    url = urllib.parse.urlsplit(api.deploy('p'))
    return url.hostname, url.port, url.path


def send(stage, request):
    host, port, path = stage
    connection = http.client.HTTPConnection(host, port, timeout=60)
    body = request.get('body', 'x' * request.get('body_bytes', 0)).encode()
    lines = [*request.get('headers', {}).items(), *request.get('header_lines', [])]
    if 'answer' in request:
        lines.append(('X-Answer', json.dumps(request['answer'])))
    stage = ('//' if request.get('slashes') else '/') + request.get('stage', 'p') + '/'
    connection.putrequest(request['method'], path.replace('/p/', stage, 1) + request['path'])
    for name, value in lines:
        connection.putheader(name, value)
    if body:
        connection.putheader('Content-Length', str(len(body)))
    connection.endheaders(body or None)
    answer = connection.getresponse()
    return answer, answer.read().decode()


def expect_members(actual, expected):
    for name, value in expected.items():
        if isinstance(value, dict) and isinstance(actual.get(name), dict):
            expect_members(actual[name], value)
        else:
            assert actual.get(name) == value and (value is not None or name in actual), name


@pytest.mark.parametrize('case', cases('gateway/answers.json'))
def test_api_gateway_answers(stage, case):
    answer, text = send(stage, case['request'])
    expect = case['expect']
    assert answer.status == expect['status'], text
    assert answer.getheader('x-amzn-RequestId') and answer.getheader('x-amz-apigw-id')
    if 'type' in expect:
        assert answer.getheader('x-amzn-ErrorType') == expect['type']
    for name, values in expect.get('headers', {}).items():
        assert answer.headers.get_all(name) == values
    if 'text' in expect:
        assert text == expect['text']
    if 'json' in expect:
        assert json.loads(text) == expect['json']
    if 'message_begins' in expect:
        assert json.loads(text)['message'].startswith(expect['message_begins'])
    expect_members(json.loads(text) if 'members' in expect or 'event' in expect else {}, expect.get('members', expect.get('event', {})))


# ---- callers ----

def request_of(server, service):
    row = read('errors/callers.json')['requests'][service]
    headers, body = {}, row.get('form', '')
    if 'target' in row:
        headers, body = {'X-Amz-Target': row['target'], 'Content-Type': f'application/x-amz-json-{row["json"]}'}, '{}'
    elif 'form' in row:
        headers = {'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8'}
    return botocore.awsrequest.AWSRequest(row.get('method', 'POST'), server.url + row.get('path', '/'), headers=headers, data=body.encode())


def sign(request, service, minutes, *credentials):
    real = botocore.auth.get_current_datetime
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: real(remove_tzinfo) + datetime.timedelta(minutes=minutes)
    try:
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(*credentials), service, harness.REGION).add_auth(request)
    finally:
        botocore.auth.get_current_datetime = real


@pytest.fixture(scope='module')
def nobody(server):
    """A user who may do nothing: name, key."""
    iam, name = server.client('iam'), 'corpus-nobody'
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)['AccessKey']
    return name, key['AccessKeyId'], key['SecretAccessKey']


@pytest.mark.parametrize('case', [pytest.param(c, id=f'{c["service"]}, {c["caller"]}') for c in read('errors/callers.json')['cases']])
def test_callers_are_refused(server, nobody, case):
    service, caller = case['service'], case['caller']
    request = request_of(server, service)
    user, user_key, user_secret = nobody
    key, secret, token = {'unknown key': ('AKIAUNKNOWNUNKNOWNUN', 'x' * 40, None), 'wrong signature': (server.access_key, 'x' * 40, None),
                          'garbled token': (server.access_key, server.secret_key, 'garbled'),
                          'without permission': (user_key, user_secret, None)}.get(caller, (server.access_key, server.secret_key, None))
    if caller != 'unsigned':
        minutes = re.fullmatch(r'(in )?(\d+) minutes( ago)?', caller)
        sign(request, service, int(minutes[2]) * (-1 if minutes[3] else 1) if minutes else 0, key, secret, token)
    if caller == 'incomplete':
        request.headers['Authorization'] = request.headers['Authorization'].rpartition(',')[0]
    answer = harness.http(request.method, request.url, request.data or None, dict(request.headers.items()))
    assert answer.status == case['status'], answer.text
    if case['code'] is None:
        return
    if answer.text.startswith('<'):
        code, message = (re.search(f'<{tag}>(.*?)</{tag}>', answer.text, re.S).group(1) for tag in ('Code', 'Message'))
    else:
        code = answer.headers.get('x-amzn-ErrorType') or answer.json['__type'].rpartition('#')[2]
        message = answer.json.get('message') or answer.json.get('Message') or ''
    assert code == case['code']
    assert message.startswith((case['message'] or '').replace('USER', user)) and message.endswith(case.get('ends', '')), message


# ---- AWS-managed policies ----

def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize('case', cases('iam/managed.json', 'policies', 'arn'))
def test_managed_policies_grant_what_aws_grants(client, case):
    iam = client('iam')
    version = iam.get_policy(PolicyArn=case['arn'])['Policy']['DefaultVersionId']
    document = iam.get_policy_version(PolicyArn=case['arn'], VersionId=version)['PolicyVersion']['Document']

    def row(action, resource, condition):
        return action, resource, json.dumps({o: {k: sorted(listed(v)) for k, v in c.items()} for o, c in condition.items()}, sort_keys=True)
    granted = {row(a, r, s.get('Condition', {})) for s in document['Statement'] for a in listed(s['Action']) for r in listed(s['Resource'])}
    expected = {row(f'{service}:{name}' if name else service, r, grant.get('condition', {})) for grant in case['grants']
                for service, names in grant['actions'].items() for name in names.split(' ') for r in grant['resources']}
    assert version == case['version'] and granted == expected
    assert all(s['Effect'] == 'Allow' for s in document['Statement'])


# ---- functions ----

def test_functions_find_the_documented_environment(client, deploy_function):
    corpus = read('lambda/environment.json')
    deploy_function('corpus-environment', 'import os\ndef handler(event, context):\n    return dict(os.environ)\n', MemorySize=256)
    seen = json.loads(client('lambda').invoke(FunctionName='corpus-environment')['Payload'].read())
    for name, row in corpus['variables'].items():
        assert re.fullmatch(row.get('matches') or re.escape(row['value']), seen.get(name, '(missing)')), (name, seen.get(name))


@pytest.mark.parametrize('case', cases('lambda/failures.json'))
def test_functions_fail_as_documented(client, deploy_function, unique, case):
    name = unique('corpus-failure')
    deploy_function(name, case['code'], Timeout=case.get('timeout', 20))
    answer = client('lambda').invoke(FunctionName=name)
    assert (answer['StatusCode'], answer.get('FunctionError')) == (200, 'Unhandled')
    payload = json.loads(answer['Payload'].read())
    assert sorted(payload) == sorted(case['members'])
    assert re.fullmatch(case['type'], payload['errorType'])
    assert re.fullmatch(case['message'].replace('ID', answer['ResponseMetadata']['RequestId']), payload['errorMessage']), payload


# ---- CloudWatch Logs ----

@pytest.mark.parametrize('case', cases('logs/answers.json'))
def test_what_logs_answers(client, unique, case):
    logs = client('logs')
    names = {'GROUP': unique('corpus'), 'STREAM': unique('stream')}
    now = int(datetime.datetime.now().timestamp() * 1000)

    def filled(value):
        if isinstance(value, dict):
            return {k: filled(v) for k, v in value.items()}
        if isinstance(value, list):
            return [filled(v) for v in value]
        if isinstance(value, str) and value.startswith('NOW'):
            sign, days = re.fullmatch(r'NOW(?: ([+-]) (\d+) \* DAY)?', value).groups()
            return now + int((sign or '') + (days or '0')) * 86400000
        return names.get(value, value) if isinstance(value, str) else value
    for operation, given in case.get('given', []):
        getattr(logs, operation)(**filled(given))
    ask = lambda: getattr(logs, case['call'])(**filled(case['input']))
    if 'code' in case:
        with pytest.raises(logs.exceptions.ClientError) as caught:
            ask()
        error = caught.value.response
        assert (error['ResponseMetadata']['HTTPStatusCode'], error['Error']['Code'], error['Error']['Message']) == (
            400, case['code'], case['message'])
        return
    answer = ask()
    answer.pop('ResponseMetadata')
    if 'list' in case:
        answer, = answer[case['list']]
    wanted = filled(case['answer'])
    assert {k: answer.get(k) for k in wanted} == wanted
    assert set(answer) == set(wanted) | set(case['has'])


@pytest.fixture(scope='module')
def there(deploy_function):
    deploy_function('corpus-there', 'def handler(event, context):\n    return event\n')
    return 'corpus-there'


def refused(client, case, names):
    """The answer of a call that is refused; what CreateFunction needs beside the input is added."""
    def fill(value):
        for name, text in names.items():
            value = value.replace(name, text) if isinstance(value, str) else value
        return value
    given = {k: fill(v) for k, v in case['input'].items()}
    if case['operation'] == 'CreateFunction':
        given = {'Runtime': 'python3.11', 'Handler': 'app.handler', 'Role': names['ROLE'], 'Code': {'ZipFile': harness.zip_of({'app.py': ''})}, **given}
    with pytest.raises(ClientError) as e:
        getattr(client, re.sub('(?<!^)(?=[A-Z])', '_', case['operation']).lower())(**given)
    return e.value.response, fill


@pytest.mark.parametrize('case', cases('lambda/refusals.json'))
def test_lambda_refuses_as_recorded(server, there, case):
    corpus = read('lambda/refusals.json')
    client = server.client('lambda', parameter_validation=False)
    role = harness.make_role(server, 'test-logs-role', policies=[harness.LOGS_POLICY])
    answer, fill = refused(client, case, {'THERE': there, 'REGION': 'us-east-1', 'ACCOUNT': '000000000000', 'ROLE': role})
    assert (answer['Error']['Code'], answer['ResponseMetadata']['HTTPStatusCode']) == (case['code'], case['status']), answer
    message = answer['Error']['Message']
    if 'message' in case:
        assert message == fill(case['message'])
        return
    pattern = corpus['patterns'].get(case['operation'], corpus['patterns']['others'])
    errors = [fill(error).replace('PATTERN', pattern) for error in case['errors']]
    head, _, rest = message.partition(' detected: ')
    assert head == f'{len(errors)} validation error' + ('s' if len(errors) > 1 else '')
    assert sorted(rest.split('; ')) == sorted(errors)
