"""Presigned URLs: requests whose signature is in the query string, made by boto3 and opened by anybody who has them."""
import datetime
import hashlib
import json
import re
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

import harness


def opened(url, method='GET', body=None, headers=None):
    return harness.http(method, url, body, headers or {})


@pytest.fixture
def clock():
    """clock(-16): botocore signs as if it were 16 minutes ago."""
    real, shift = botocore.auth.get_current_datetime, [0]
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: real(remove_tzinfo) + datetime.timedelta(minutes=shift[0])
    yield lambda minutes: shift.__setitem__(0, minutes)
    botocore.auth.get_current_datetime = real


def tags(text, *names):
    return [re.search(f'<{name}>(.*?)</{name}>', text, re.S).group(1) for name in names]


def who_am_i(server, **credentials):
    return server.client('sts', **credentials).generate_presigned_url('get_caller_identity', ExpiresIn=60, HttpMethod='GET')


def test_who_am_i(server):
    answer = opened(who_am_i(server))
    assert answer.status == 200 and tags(answer.text, 'Arn', 'Account') == [f'arn:aws:iam::{harness.ACCOUNT}:root', harness.ACCOUNT]


def test_the_method_is_signed(server):
    """boto3 presigns the query protocol's calls for POST unless it is told otherwise (boto/boto3#756)."""
    url = server.client('sts').generate_presigned_url('get_caller_identity')
    assert opened(url, 'POST').status == 200
    assert tags(opened(url).text, 'Code') == ['SignatureDoesNotMatch']


def test_a_session_signs_with_its_token(server, client, unique):
    iam, name = client('iam'), unique('presigner')
    trust = json.dumps({'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Principal': {'AWS': harness.ACCOUNT}, 'Action': 'sts:AssumeRole'}]})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Resource': '*'}]}))
    key = iam.create_access_key(UserName=name)['AccessKey']
    user = {'access_key': key['AccessKeyId'], 'secret_key': key['SecretAccessKey']}
    session = server.client('sts', **user).assume_role(RoleArn=f'arn:aws:iam::{harness.ACCOUNT}:role/{name}', RoleSessionName='one')['Credentials']
    url = who_am_i(server, access_key=session['AccessKeyId'], secret_key=session['SecretAccessKey'], token=session['SessionToken'])
    assert 'X-Amz-Security-Token=' in url
    assert tags(opened(url).text, 'Arn') == [f'arn:aws:sts::{harness.ACCOUNT}:assumed-role/{name}/one']
    without = re.sub('X-Amz-Security-Token=[^&]*&', '', url)
    assert tags(opened(without).text, 'Code') == ['InvalidClientTokenId']
    denied = opened(server.client('lambda', **user).generate_presigned_url('list_functions'))
    assert denied.status == 403 and 'is not authorized to perform: lambda:ListFunctions' in denied.text


def test_a_header_more_is_signed(server):
    """As tokens for Kubernetes are made: the cluster's name travels in a header that is signed."""
    sts = server.client('sts')
    sts.meta.events.register('before-sign.sts.GetCallerIdentity', lambda request, **_: request.headers.__setitem__('x-k8s-aws-id', 'one'))
    url = sts.generate_presigned_url('get_caller_identity', ExpiresIn=60, HttpMethod='GET')
    assert 'host%3Bx-k8s-aws-id' in url
    assert opened(url, headers={'x-k8s-aws-id': 'one'}).status == 200
    assert tags(opened(url, headers={'x-k8s-aws-id': 'two'}).text, 'Code') == ['SignatureDoesNotMatch']
    assert tags(opened(url).text, 'Code') == ['SignatureDoesNotMatch']


@pytest.mark.parametrize('service, operation, params, member', [
    ('lambda', 'list_functions', {'MaxItems': 5}, 'Functions'), ('apigateway', 'get_rest_apis', {'limit': 5}, 'item')])
def test_rest_services(client, service, operation, params, member):
    answer = opened(client(service).generate_presigned_url(operation, Params=params))
    assert answer.status == 200 and (member in answer.json or answer.json == {})


def test_iam(client):
    assert '<ListUsersResult>' in opened(client('iam').generate_presigned_url('list_users', Params={'MaxItems': 1}, HttpMethod='GET')).text


class WithBody(botocore.auth.SigV4QueryAuth):
    """Signs the body that will be sent, as AWS computes it; botocore's own would move it into the query string."""
    body = b'{}'

    def payload(self, request):
        return hashlib.sha256(self.body).hexdigest()


def test_dynamodb_needs_its_body_and_target(server):
    headers = {'X-Amz-Target': 'DynamoDB_20120810.ListTables', 'Content-Type': 'application/x-amz-json-1.0'}
    request = botocore.awsrequest.AWSRequest('POST', server.url + '/', headers=headers)
    credentials = botocore.credentials.Credentials(server.access_key, server.secret_key)
    WithBody(credentials, 'dynamodb', harness.REGION, 60).add_auth(request)
    answer = opened(request.url, 'POST', b'{}', headers)
    assert answer.status == 200 and 'TableNames' in answer.json
    assert opened(request.url, 'POST', b'{"Limit":1}', headers).json['__type'].endswith('#InvalidSignatureException')
    assert opened(request.url, 'POST', b'{}', {**headers, 'X-Amz-Target': 'DynamoDB_20120810.DescribeLimits'}).status == 400
    hidden = {**headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD'}
    assert opened(request.url, 'POST', b'{"Limit":1}', hidden).json['__type'].endswith('#IncompleteSignatureException')


def test_a_url_is_good_for_a_quarter_of_an_hour(server, clock):
    """Whatever it says of its end: only S3 looks at X-Amz-Expires."""
    sts = server.client('sts')
    clock(-14)
    assert opened(sts.generate_presigned_url('get_caller_identity', ExpiresIn=1, HttpMethod='GET')).status == 200
    for minutes, begins in ((-16, 'Signature expired: '), (16, 'Signature not yet current: ')):
        clock(minutes)
        answer = opened(sts.generate_presigned_url('get_caller_identity', ExpiresIn=604800, HttpMethod='GET'))
        code, message = tags(answer.text, 'Code', 'Message')
        assert answer.status == 403 and code == 'SignatureDoesNotMatch' and message.startswith(begins)


def test_tricks(server):
    url = who_am_i(server)
    query = url.partition('?')[2]
    reordered = '&'.join(sorted(query.split('&'), reverse=True))
    assert opened(f'{server.url}/?{reordered}').status == 200
    assert opened(f'{server.url}/?{query.replace("X-Amz-Date", "X%2DAmz-Date")}').status == 200
    refused = {
        'SignatureDoesNotMatch': [query.replace('GetCallerIdentity', 'GetSessionToken'), query + '&a=b', query + '&X-Amz-Expires=604800',
                                  query + '&X-Amz-Credential=' + urllib.parse.quote('AKIAOTHER/20260131/us-east-1/sts/aws4_request', safe=''),
                                  query.replace('X-Amz-SignedHeaders=host', 'X-Amz-SignedHeaders=host%3Ba%0A'),
                                  re.sub('Signature=.', 'Signature=%00', query)],
        'IncompleteSignature': [query.replace('X-Amz-SignedHeaders=host', 'X-Amz-SignedHeaders=date'),
                                query.replace('X-Amz-SignedHeaders=host&', ''), query.replace('X-Amz-Date', 'X-Amz-Data'),
                                query.replace('HMAC-SHA256', 'HMAC-SHA1'), re.sub('Credential=[^&]*', 'Credential=a%2Fb', query)],
        'MissingAuthenticationToken': [query.replace('X-Amz-Algorithm', 'x-amz-algorithm')],
        'InvalidClientTokenId': [query.replace(server.access_key, 'AKIAUNKNOWN'), query.replace(server.access_key, '%3Cb%3E%00%FF')],
    }
    for code, queries in refused.items():
        for changed in queries:
            assert changed != query
            answer = opened(f'{server.url}/?{changed}')
            assert tags(answer.text, 'Code') == [code], changed
    assert tags(opened(url, 'POST').text, 'Code') == ['SignatureDoesNotMatch']
    assert tags(opened(url, 'GET', b'body').text, 'Code') == ['SignatureDoesNotMatch']


def test_one_signature_is_enough(server):
    url = who_am_i(server)
    request = botocore.awsrequest.AWSRequest('GET', url)
    botocore.auth.SigV4Auth(botocore.credentials.Credentials(server.access_key, server.secret_key), 'sts', harness.REGION).add_auth(request)
    answer = opened(url, headers=dict(request.headers.items()))
    assert tags(answer.text, 'Code', 'Message') == ['SignatureDoesNotMatch', "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."]
