"""The wire layer through real clients and by hand: how each service refuses callers, what its answers carry, that every
operation of a model answers something of its own."""
import json
import socket
import zlib

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.loaders
import pytest
from botocore.exceptions import ClientError

import harness
from harness import http

MISMATCH = ('The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and '
            'signing method. Consult the service documentation for details.')
BAD_KEY = 'The security token included in the request is invalid.'
# service, an operation without input, and how it refuses: status, code of an unknown key, code of a wrong signature
CALLS = [
    ('dynamodb', 'list_tables', 400, 'UnrecognizedClientException', 'InvalidSignatureException'),
    ('lambda', 'list_functions', 403, 'UnrecognizedClientException', 'InvalidSignatureException'),
    ('iam', 'list_users', 403, 'InvalidClientTokenId', 'SignatureDoesNotMatch'),
    ('sts', 'get_caller_identity', 403, 'InvalidClientTokenId', 'SignatureDoesNotMatch'),
    ('logs', 'describe_log_groups', 400, 'UnrecognizedClientException', 'InvalidSignatureException'),
    ('apigateway', 'get_rest_apis', 403, 'UnrecognizedClientException', 'InvalidSignatureException'),
]


def failure_of(call):
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response['Error']
    return caught.value.response['ResponseMetadata']['HTTPStatusCode'], error['Code'], error.get('Message')


def signed(server, service, method, path, headers=None, body=b''):
    """A request as botocore signs it, sent as it is."""
    request = botocore.awsrequest.AWSRequest(method, server.url + path, headers=headers or {}, data=body)
    credentials = botocore.credentials.Credentials(server.access_key, server.secret_key)
    botocore.auth.SigV4Auth(credentials, service, harness.REGION).add_auth(request)
    return http(method, server.url + path, body or None, dict(request.headers.items()))


@pytest.mark.smoke
@pytest.mark.parametrize('service, operation, status, unknown_key, mismatch', CALLS)
def test_callers_are_refused_in_the_words_of_the_service(server, service, operation, status, unknown_key, mismatch):
    stranger = server.client(service, access_key='AKIAXXXXXXXXXXXXXXXX', secret_key='x' * 40)
    assert failure_of(getattr(stranger, operation)) == (status, unknown_key, BAD_KEY)
    forger = server.client(service, secret_key='x' * 40)
    assert failure_of(getattr(forger, operation)) == (status, mismatch, MISMATCH)


@pytest.mark.parametrize('path, headers, body, status, code', [
    ('/', {'X-Amz-Target': 'DynamoDB_20120810.ListTables', 'Content-Type': 'application/x-amz-json-1.0'}, '{}', 400,
     'MissingAuthenticationTokenException'),
    ('/', {'X-Amz-Target': 'DynamoDB_20120810.Nonsense', 'Content-Type': 'application/x-amz-json-1.0'}, 'x', 400,
     'MissingAuthenticationTokenException'),
    ('/', {'X-Amz-Target': 'Logs_20140328.DescribeLogGroups', 'Content-Type': 'application/x-amz-json-1.1'}, '{}', 400,
     'MissingAuthenticationTokenException'),
    ('/2015-03-31/functions/f/invocations', {}, '{}', 403, 'MissingAuthenticationTokenException'),
    ('/restapis', {}, '{"name":"x"}', 403, 'MissingAuthenticationTokenException'),
    ('/', {'Content-Type': 'application/x-www-form-urlencoded'}, 'Action=ListUsers&Version=2010-05-08', 403, 'MissingAuthenticationToken'),
])
def test_unsigned_calls_learn_nothing(server, path, headers, body, status, code):
    answer = http('POST', server.url + path, body, headers)
    assert answer.status == status
    assert code in answer.text or answer.headers['x-amzn-ErrorType'] == code
    assert 'Authentication Token' in answer.text
    assert answer.headers['x-amzn-RequestId']


def test_dynamodb_answers_carry_checksum_and_long_id(server):
    headers = {'X-Amz-Target': 'DynamoDB_20120810.ListTables', 'Content-Type': 'application/x-amz-json-1.0'}
    answer = signed(server, 'dynamodb', 'POST', '/', headers, b'{}')
    assert answer.status == 200 and answer.headers['Content-Type'] == 'application/x-amz-json-1.0'
    assert int(answer.headers['x-amz-crc32']) == zlib.crc32(answer.body)
    assert len(answer.headers['x-amzn-RequestId']) == 52
    headers['Content-Type'] = 'text/plain'
    answer = signed(server, 'dynamodb', 'POST', '/', headers, b'{}')
    assert (answer.status, answer.text) == (404, '<UnknownOperationException/>\n')
    assert answer.headers['x-amz-crc32'] == '3552371480'     # what DynamoDB itself sends with these bytes


FORM = {'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8'}


@pytest.mark.parametrize('service, path, headers, limit, code', [
    ('dynamodb', '/', {'X-Amz-Target': 'DynamoDB_20120810.PutItem', 'Content-Type': 'application/x-amz-json-1.0'}, 16 << 20,
     'com.amazon.coral.service#RequestEntityTooLargeException'),
    ('logs', '/', {'X-Amz-Target': 'Logs_20140328.PutLogEvents', 'Content-Type': 'application/x-amz-json-1.1'}, 7 << 20, 'RequestEntityTooLargeException'),
    ('lambda', '/2015-03-31/functions', {}, 70 << 20, 'RequestEntityTooLargeException'),
    ('apigateway', '/restapis', {}, 1 << 20, 'RequestEntityTooLargeException'),
    ('iam', '/', FORM, 512 << 10, 'RequestEntityTooLarge'), ('sts', '/', FORM, 64 << 10, 'RequestEntityTooLarge')])
def test_each_service_has_its_own_limit_of_a_body(server, service, path, headers, limit, code):
    refused = signed(server, service, 'POST', path, headers, b' ' * (limit + 1))
    assert refused.status == 413 and (code in refused.text or refused.headers['x-amzn-ErrorType'] == code)


def test_the_longest_policy_the_model_allows_is_read(server, client):
    """Refused by IAM for its size, not by the server for the form's."""
    document = '{"Version": "2012-10-17", "Statement": []' + '\n' * (131072 - 42) + '}'
    assert failure_of(lambda: client('iam').create_policy(PolicyName='long', PolicyDocument=document))[1] == 'MalformedPolicyDocument'


def test_a_large_body_leaves_the_loops_free(server):
    """14 MB take long to parse: not on the loop, which answers others meanwhile. As many small values are more than a tree may hold."""
    headers = {'X-Amz-Target': 'DynamoDB_20120810.BatchWriteItem', 'Content-Type': 'application/x-amz-json-1.0'}
    with server.watch() as watch:
        answer = signed(server, 'dynamodb', 'POST', '/', headers, b'{"x":[' + b'"%s",' % (b'v' * 60) * 220_000 + b'0]}')
    assert answer.status == 400 and answer.json['__type'].endswith('#ValidationException')
    assert watch.worst < watch.seconds / 2


def test_a_form_has_so_many_parameters(server):
    form = 'Action=ListUsers&Version=2010-05-08' + ''.join(f'&p{i}=' for i in range(1100))
    answer = signed(server, 'iam', 'POST', '/', {'Content-Type': 'application/x-www-form-urlencoded'}, form.encode())
    assert answer.status == 400 and 'The request has too many parameters.' in answer.text


@pytest.mark.parametrize('length, answer', [(1 << 20, b'HTTP/1.1 100 '), ((1 << 20) + 1, b'HTTP/1.1 413 ')])
def test_a_body_for_no_service_in_particular_is_small(server, length, answer):
    with socket.create_connection(('127.0.0.1', server.port)) as s:
        s.sendall(b'POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n' % length)
        assert s.recv(len(answer), socket.MSG_WAITALL) == answer


def test_query_calls_by_get_and_post(server):
    answer = signed(server, 'sts', 'GET', '/?Action=GetCallerIdentity&Version=2011-06-15')
    assert answer.status == 200 and f'<Account>{harness.ACCOUNT}</Account>' in answer.text
    form = {'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8'}
    answer = signed(server, 'iam', 'POST', '/', form, b'Action=NoSuchAction&Version=2010-05-08')
    assert answer.status == 400 and 'http://webservices.amazon.com/AWSFault/2005-15-09' in answer.text
    assert '<Message>Could not find operation NoSuchAction for version 2010-05-08</Message>' in answer.text


@pytest.mark.parametrize('service', [row[0] for row in CALLS])
def test_every_operation_of_the_model_answers_for_itself(server, service):
    """No operation is unknown: with an empty input it is refused by validation, served, or named as not implemented."""
    model = botocore.loaders.Loader().load_service_model(service, 'service-2')
    metadata = model['metadata']
    for name, operation in model['operations'].items():
        method, uri = operation['http']['method'], operation['http']['requestUri']
        headers, body = {}, b''
        if metadata['protocol'] == 'json':
            headers = {'X-Amz-Target': f'{metadata["targetPrefix"]}.{name}', 'Content-Type': f'application/x-amz-json-{metadata["jsonVersion"]}'}
            body = b'{"nextToken": 5, "TableName": 5, "logGroupName": 5, "name": 5}'
        elif metadata['protocol'] == 'query':
            headers, body = {'Content-Type': 'application/x-www-form-urlencoded'}, f'Action={name}&Version={metadata["apiVersion"]}&MaxItems=x'.encode()
        elif method in ('DELETE', 'POST', 'PUT', 'PATCH'):
            body = b'[]'
        path = ''.join('no-such-thing' if i % 2 else part for i, part in enumerate(uri.replace('}', '{').split('{')))
        answer = signed(server, metadata.get('signingName', metadata['endpointPrefix']), method, path, headers, body)
        assert answer.status != 500 and 'UnknownOperation' not in answer.text and 'InvalidAction' not in answer.text, (name, answer.text)
        if answer.status == 501:
            assert f'{service}:{name}' in answer.text


def test_errors_of_rest_services_travel_in_a_header(server, client):
    answer = signed(server, 'lambda', 'GET', '/2015-03-31/functions/no-such-function')
    assert answer.status == 404 and answer.headers['x-amzn-ErrorType'] == 'ResourceNotFoundException'
    assert json.loads(answer.body)['Type'] == 'User'
    answer = signed(server, 'apigateway', 'GET', '/restapis/nosuchapi0')
    assert answer.status == 404 and answer.headers['x-amzn-ErrorType'] == 'NotFoundException'
    assert set(answer.json) == {'message'}


@pytest.mark.parametrize('service, operation, arguments', [
    ('sqs', 'list_queues', {}), ('sns', 'list_topics', {}), ('cloudformation', 'describe_stacks', {}), ('ec2', 'describe_instances', {}),
    ('s3', 'get_bucket_acl', {'Bucket': 'a-bucket'}), ('route53', 'list_hosted_zones', {}), ('kms', 'list_keys', {}),
    ('apigatewayv2', 'get_apis', {}), ('apigatewayv2', 'create_api', {'Name': 'x', 'ProtocolType': 'HTTP'}), ('dynamodbstreams', 'list_streams', {})])
def test_services_that_are_not_served_say_so_in_their_own_protocol(server, service, operation, arguments):
    with pytest.raises(ClientError) as refused:
        getattr(server.client(service), operation)(**arguments)
    assert refused.value.response['ResponseMetadata']['HTTPStatusCode'] == 501
    assert refused.value.response['Error']['Code'] == 'NotImplemented'
    assert f"does not serve the AWS service '{service}'" in refused.value.response['Error']['Message']


def test_services_that_are_not_served_say_so_in_cbor(server):
    answer = signed(server, 'monitoring', 'POST', '/service/GraniteServiceVersion20100801/operation/ListMetrics',
                    {'Smithy-Protocol': 'rpc-v2-cbor', 'Content-Type': 'application/cbor'}, b'\xa0')
    assert (answer.status, answer.headers['Content-Type'], answer.headers['Smithy-Protocol']) == (501, 'application/cbor', 'rpc-v2-cbor')
    text = lambda s: b'\x79' + len(s).to_bytes(2, 'big') + s
    assert answer.body == b'\xa2' + text(b'__type') + text(b'NotImplemented') + text(b'message') + \
        text(b"Cloudless does not serve the AWS service 'monitoring'.")
