"""What is seen of the server from outside: metrics, the access log."""
import os
import re
import resource
import signal
import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

import apis
import harness


def metrics_of(server):
    """The page, read by Prometheus's own parser: family name → list of (sample name, labels, value)."""
    with urllib.request.urlopen(server.url + '/_cloudless/metrics') as answer:
        assert answer.headers['Content-Type'] == 'text/plain; version=0.0.4; charset=utf-8'
        text = answer.read().decode()
    families = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in families, 'a family stands twice'
        assert family.documentation and family.type in ('counter', 'gauge', 'histogram'), family
        families[family.name] = family.samples
    return families


def value(families, sample, **labels):
    found = [s.value for samples in families.values() for s in samples if s.name == sample and s.labels == labels]
    return found[0] if found else 0


def refusals(families):
    return sum(s.value for s in families['cloudless_requests'] if s.labels['service'] == 'dynamodb' and s.labels['status'] == '400')


def wait_for(read):
    """The first true value of `read`."""
    for _ in range(2000):
        if found := read():
            return found
        signal.sigtimedwait([], 0.005)
    raise AssertionError('it never came')


@pytest.mark.smoke
def test_metrics_count_requests(server, unique):
    before = metrics_of(server)
    dynamodb = server.client('dynamodb')
    table = unique('table')
    for _ in range(3):
        with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
            dynamodb.describe_table(TableName=table)
    dynamodb.list_tables()
    with pytest.raises(Exception, match='UnrecognizedClient'):
        server.client('dynamodb', access_key='AKIANOBODYNOBODYNOBO').list_tables()
    after = metrics_of(server)

    def grown(sample, **labels):
        return value(after, sample, **labels) - value(before, sample, **labels)

    call = {'service': 'dynamodb', 'operation': 'DescribeTable'}
    assert grown('cloudless_requests_total', status='400', **call) == 3
    assert grown('cloudless_request_duration_seconds_count', **call) == 3
    assert grown('cloudless_request_duration_seconds_bucket', le='+Inf', **call) == 3
    assert grown('cloudless_request_bytes_total', **call) == 3 * len('{"TableName": "%s"}' % table)
    assert grown('cloudless_response_bytes_total', **call) > 300
    assert grown('cloudless_requests_total', service='dynamodb', operation='ListTables', status='200') == 1
    assert refusals(after) - refusals(before) == 4, 'the one of a stranger is counted too'
    assert grown('cloudless_requests_total', service='cloudless', operation='metrics', status='200') == 1
    assert value(after, 'cloudless_connections_open') >= 1
    assert value(after, 'cloudless_lane_finished_total', lane='read') >= 1
    assert value(after, 'cloudless_resident_memory_bytes') > 1 << 20


def test_buckets_grow_and_end_at_the_count(server):
    for name, samples in metrics_of(server).items():
        series = {}
        for sample in samples:
            labels = {k: v for k, v in sample.labels.items() if k != 'le'}
            key = tuple(sorted(labels.items()))
            if sample.name.endswith('_bucket'):
                series.setdefault(key, []).append((float(sample.labels['le']), sample.value))
            elif sample.name.endswith('_count') and key in series:
                bounds = series[key]
                assert bounds == sorted(bounds) and bounds[-1] == (float('inf'), sample.value), name
                assert [v for _, v in bounds] == sorted(v for _, v in bounds), name


def lines_of(path):
    return [dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)) for line in open(path)] if os.path.exists(path) else []


@pytest.fixture
def logged(tmp_path):
    path = str(tmp_path / 'access.log')
    server = harness.Server(args=['--access-log', path]).start()
    server.access_log = path
    yield server
    server.stop()
    server.remove()


def test_access_log(logged):
    logged.client('sts').get_caller_identity()
    with pytest.raises(Exception, match='SignatureDoesNotMatch|InvalidSignature'):
        logged.client('dynamodb', secret_key='wrong').list_tables()
    url = logged.url + '/_aws/execute-api/none/prod/pets?X-Amz-Signature=abc&x-api-KEY=def&color=red&access_token=g%20h'
    with pytest.raises(urllib.error.HTTPError, match='403'):
        urllib.request.urlopen(url)
    with socket.create_connection(('127.0.0.1', logged.port)) as s:
        s.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n')
        assert b' 400 ' in s.recv(1000)
    lines = wait_for(lambda: (found := lines_of(logged.access_log)) and len(found) == 4 and found)
    sts, bad, gateway, malformed = lines
    assert (sts['service'], sts['operation'], sts['status']) == ('sts', 'GetCallerIdentity', '200')
    assert sts['principal'] == 'arn:aws:iam::000000000000:root' and sts['peer'] == '127.0.0.1'
    assert int(sts['in']) > 0 and int(sts['out']) > 100 and float(sts['ms']) > 0 and len(sts['id']) > 20
    assert bad['status'] == '400' and 'InvalidSignatureException' in bad['reason'] and 'principal' not in bad
    assert gateway['path'] == '"/_aws/execute-api/none/prod/pets?X-Amz-Signature=-&x-api-KEY=-&color=red&access_token=-"'
    assert (gateway['service'], gateway['route'], gateway['reason']) == ('execute-api', 'none/prod', '"no such API"')
    assert malformed['status'] == '400' and 'service' not in malformed
    assert not re.search(r'Credential=|[0-9a-f]{64}', open(logged.access_log).read())


def test_every_refusal_has_its_reason(logged, unique):
    """Beside AWS's sentence: what the one who runs the server would do about it."""
    iam, key = logged.client('iam'), logged.access_key
    iam.create_user(UserName='stranger')
    made = iam.create_access_key(UserName='stranger')['AccessKey']
    inactive = iam.create_access_key(UserName='stranger')['AccessKey']['AccessKeyId']
    iam.update_access_key(UserName='stranger', AccessKeyId=inactive, Status='Inactive')
    env = "`cloudless env` gives a shell this server's"
    refused = [
        ('dynamodb', {'access_key': 'AKIANOBODY', 'secret_key': 'x'}, 'list_tables', {}, 'UnrecognizedClientException', f'there is no key AKIANOBODY, or it is inactive; {env}'),
        ('dynamodb', {'access_key': inactive, 'secret_key': 'x'}, 'list_tables', {}, 'UnrecognizedClientException', f'there is no key {inactive}, or it is inactive; {env}'),
        ('dynamodb', {'secret_key': 'x'}, 'list_tables', {}, 'InvalidSignatureException', f'signed with another secret than that of {key}, or changed on its way; {env}'),
        ('iam', {'secret_key': 'x'}, 'list_users', {}, 'SignatureDoesNotMatch', f'signed with another secret than that of {key}, or changed on its way; {env}'),
        ('logs', {'token': 'x'}, 'describe_log_groups', {}, 'UnrecognizedClientException', f'of the key {key}; {env} and unsets AWS_SESSION_TOKEN'),
        ('dynamodb', {'access_key': made['AccessKeyId'], 'secret_key': made['SecretAccessKey']}, 'list_tables', {}, 'AccessDeniedException',
         'no identity-based policy allows the dynamodb:ListTables action'),
        ('lambda', {}, 'invoke', {'FunctionName': 'none'}, 'ResourceNotFoundException', '(looked for in us-east-1)'),
        ('dynamodb', {'region': 'eu-west-1'}, 'describe_table', {'TableName': 'none'}, 'ResourceNotFoundException',
         "(looked for in eu-west-1, the client's region; `cloudless env` sets us-east-1)"),
        ('lambda', {'region': 'eu-west-1'}, 'get_function', {'FunctionName': 'none'}, 'ResourceNotFoundException', "the client's region; `cloudless env` sets us-east-1)"),
        ('apigateway', {'region': 'eu-west-1'}, 'get_rest_api', {'restApiId': 'none'}, 'NotFoundException', "the client's region; `cloudless env` sets us-east-1)"),
        ('logs', {'region': 'eu-west-1'}, 'describe_log_streams', {'logGroupName': 'none'}, 'ResourceNotFoundException', "the client's region; `cloudless env` sets us-east-1)"),
        ('iam', {}, 'get_user', {'UserName': 'none'}, 'NoSuchEntity', 'cannot be found.'),
        ('dynamodb', {}, 'list_backups', {}, 'NotImplemented', 'Cloudless does not implement dynamodb:ListBackups.'),
        ('s3', {}, 'list_buckets', {}, None, 'this service is not served'),
    ]
    begin = len(wait_for(lambda: len(found := lines_of(logged.access_log)) >= 4 and found))
    for service, how, operation, members, code, _ in refused:
        with pytest.raises(Exception) as e:
            getattr(logged.client(service, **how), operation)(**members)
        assert 'cloudless env' not in str(e.value) and 'looked for' not in str(e.value)       # AWS's answer stays as it is
    for path in '/', '/nowhere', '/_cloudless/nothing':
        assert harness.http('GET', logged.url + path).status in (403, 404)
    lines = wait_for(lambda: len(found := lines_of(logged.access_log)[begin:]) >= len(refused) + 3 and found)
    for (service, _, operation, _, code, why), line in zip(refused, lines):
        assert line['service'] == service and why in line['reason'] and (not code or line['reason'].startswith(f'"{code}: ')), (operation, line)
    assert all('neither signed for a service nor the path of an API' in line['reason'] for line in lines[-3:-1])
    assert 'nothing at this path' in lines[-1]['reason']


def test_a_role_that_may_not_write_logs_is_named_once(logged, unique):
    role = harness.make_role(logged, 'silent')
    arn = harness.deploy_function(logged, 'silent', "def handler(event, context):\n    print('one')\n    print('two')\n", role=role)
    for _ in range(2):
        logged.client('lambda').invoke(FunctionName='silent')
    said = wait_for(lambda: [line for line in logged.log if 'lambda.output_lost' in line])
    assert len(said) == 1 and f'function={arn} role={role} ' in said[0] and 'logs:PutLogEvents' in said[0] and 'AWSLambdaBasicExecutionRole' in said[0]


def test_reasons_of_the_gateway(logged):
    """Each refusal of a request for an API has its reason in the access log; AWS's answer says as little as AWS's does."""
    code = ("import time\ndef handler(event, context):\n    if 'late' in event['path']: time.sleep(2)\n"
            "    if 'raise' in event['path']: raise ValueError\n    return {'wrong': 1}\n")
    logged.client('lambda').create_function(FunctionName='f', Runtime='python3.11', Handler='a.handler', Role=harness.make_role(logged, 'f'), Timeout=5,
                                            Code={'ZipFile': harness.zip_of({'a.py': code})})
    api = apis.Api(logged, 'reasons')
    bare = apis.Api(logged, 'bare').id
    api.function('/denied', 'GET', 'f', permission=False)
    for path in ('/wrong', '/raise', '/late'):
        api.function(path, 'GET', 'f')
    api.function('/gone', 'GET', 'nothing', permission=False)
    api.client.update_integration(**api.at('/late', 'GET'), patchOperations=[{'op': 'replace', 'path': '/timeoutInMillis', 'value': '100'}])
    api.method('/mock', 'GET')
    api.client.put_integration(**api.at('/mock', 'GET'), type='MOCK')
    api.deploy('prod')
    off = apis.Api(logged, 'off')
    off.method('/', 'GET')
    off.client.put_integration(**off.at('/', 'GET'), type='MOCK')
    off.deploy('prod')
    off.client.update_rest_api(restApiId=off.id, patchOperations=[{'op': 'replace', 'path': '/disableExecuteApiEndpoint', 'value': 'true'}])
    preflight = {'Origin': 'http://a', 'Access-Control-Request-Method': 'GET'}
    wanted = []
    for api_id, method, path, headers, status, reason in [
        ('none', 'GET', 'prod/', {}, 403, 'no such API'),
        (bare, 'GET', 'prod/', {}, 403, 'the API is not deployed: it has no stage'),
        (api.id, 'GET', 'Prod/wrong', {}, 403, 'no such stage of this API'),
        (off.id, 'GET', 'prod/', {}, 403, 'the stage is disabled'),
        (api.id, 'GET', 'prod/nothing', {}, 403, 'no route for this method and path'),
        (api.id, 'OPTIONS', 'prod/wrong', {}, 403, 'no route for this method and path'),
        (api.id, 'OPTIONS', 'prod/wrong', preflight, 403, 'a preflight is not configured: no route for OPTIONS and this path'),
        (api.id, 'GET', 'prod/denied', {}, 500, "the function's policy does not let apigateway.amazonaws.com invoke it for this API"),
        (api.id, 'GET', 'prod/gone', {}, 500, 'the function does not exist'),
        (api.id, 'GET', 'prod/wrong', {}, 502, 'not of the form {statusCode, headers, multiValueHeaders, body, isBase64Encoded}'),
        (api.id, 'GET', 'prod/raise', {}, 502, 'Unhandled'),
        (api.id, 'GET', 'prod/late', {}, 504, 'the integration did not answer in time'),
        (api.id, 'GET', 'prod/mock', {}, 500, 'unable to parse statusCode; it should be an integer that is defined in the request template'),
        (api.id, 'GET', 'prod/wrong?a=%7', {}, 400, "the query string is no URI's: characters or escapes that are none"),
    ]:
        answer = harness.http(method, f'{logged.url}/_aws/execute-api/{api_id}/{path}', headers=headers)
        assert answer.status == status and reason not in answer.text, path
        wanted.append((str(status), reason))
    found = wait_for(lambda: (rows := [line for line in lines_of(logged.access_log) if line.get('service') == 'execute-api'])
                     and len(rows) == len(wanted) and rows)
    assert sorted((line['status'], line['reason'].strip('"')) for line in found) == sorted(wanted)     # loops write in no order


def test_access_log_is_opened_again(logged):
    urllib.request.urlopen(logged.url + '/_cloudless/health')
    wait_for(lambda: lines_of(logged.access_log))
    os.rename(logged.access_log, logged.access_log + '.1')
    logged.process.send_signal(signal.SIGHUP)

    def new_lines():
        urllib.request.urlopen(logged.url + '/_cloudless/health')
        return lines_of(logged.access_log)
    assert wait_for(new_lines)[-1]['operation'] == 'health'


def test_access_log_that_cannot_be_opened(tmp_path):
    server = harness.Server(args=['--access-log', str(tmp_path / 'missing' / 'file')])
    with pytest.raises(RuntimeError, match='(?s)ended with 1.*--access-log.*No such file'):
        server.start()
    server.remove()


@pytest.fixture
def few_descriptors():
    """A server that may have 1,024 descriptors, and a client that may have more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with harness.running(under=('prlimit', '--nofile=1024:1024')) as server:
        yield server
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_connections_do_not_starve_the_store(few_descriptors):
    server = few_descriptors
    dynamodb = server.client('dynamodb')
    dynamodb.create_table(TableName='table', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                          AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
    held = [socket.create_connection(('127.0.0.1', server.port)) for _ in range(1100)]
    refused = [s for s in held[700:] if s.recv(1) == b'']       # the share of connections is smaller than 700
    assert len(refused) == 400
    for i in range(200):                                        # its own connection is older, and stays
        dynamodb.put_item(TableName='table', Item={'k': {'S': str(i)}, 'v': {'S': 'x' * 10000}})
    assert dynamodb.get_item(TableName='table', Key={'k': {'S': '199'}})['Item']['v']['S'] == 'x' * 10000
    told = [line for line in server.log if 'net.connections_refused' in line]
    assert len(told) == 1 and 'from=outside' in told[0], 'said once a minute'
    for s in held:
        s.close()
    families = wait_for(lambda: reachable(server))
    assert value(families, 'cloudless_max_fds') == 1024
    assert value(families, 'cloudless_refused_total') >= 1100 - 700
    assert value(families, 'cloudless_store_writable') == 1


def reachable(server):
    try:
        return metrics_of(server)
    except OSError:
        return None


def test_the_limit_is_raised(server):
    hard = int(re.search(r'Max open files +\d+ +(\d+)', open(f'/proc/{server.process.pid}/limits').read()).group(1))
    assert value(metrics_of(server), 'cloudless_max_fds') == hard


def test_metrics_of_the_parts(server, deploy_function, client, unique):
    before = metrics_of(server)
    function = deploy_function(unique('metered'), 'def handler(event, context):\n    print("hello")\n    return {}\n')
    client('lambda').invoke(FunctionName=function)
    after = metrics_of(server)

    def grown(sample, **labels):
        return value(after, sample, **labels) - value(before, sample, **labels)

    assert grown('cloudless_cold_start_seconds_count') == 1
    for part in 'code', 'sandbox', 'runtime':
        assert grown('cloudless_cold_start_part_seconds_count', part=part) == 1
        assert 0 < grown('cloudless_cold_start_part_seconds_sum', part=part) <= grown('cloudless_cold_start_seconds_sum')
    assert sum(s.value for s in after['cloudless_environments']) >= 1
    assert grown('cloudless_log_events_total') >= 3
    assert grown('cloudless_store_mutations_total') >= 2 and grown('cloudless_store_batch_mutations_count') >= 1
    assert grown('cloudless_store_commit_seconds_count') == grown('cloudless_store_batch_mutations_count')
    assert grown('cloudless_auth_key_hits_total') >= 1
    assert value(after, 'cloudless_rocksdb_keys') > 0 and 'cloudless_row_cache_hits' in after
    assert value(after, 'cloudless_lane_finished_total', lane='start') >= 1


def test_metrics_of_jobs(server, client, unique):
    dynamodb, name = client('dynamodb'), unique('dropped')
    before = value(metrics_of(server), 'cloudless_jobs_ended_total', kind='drop-space')
    dynamodb.create_table(TableName=name, KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}], BillingMode='PAY_PER_REQUEST',
                          AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
    dynamodb.delete_table(TableName=name)
    wait_for(lambda: value(metrics_of(server), 'cloudless_jobs_ended_total', kind='drop-space') > before)
    assert value(metrics_of(server), 'cloudless_jobs_failed', kind='drop-space') == 0
