"""Tokens of pages: every list that is paged with opaque tokens shows each entry once in pages of any size, takes a token after a
restart, and refuses one that nobody gave, or that another list or account gave, in its service's words."""
import json

import botocore.session
import pytest
from botocore.exceptions import ClientError

import harness
from security_test import call_of, input_for, rows


def trail(client, operation, member, token_in, token_out, size, each, **fixed):
    """How a list is asked for a page (returning its entries and the token of the next) and what fails with a wrong token."""
    def page(token=None, limit=None):
        given = {**fixed, **({token_in: token} if token is not None else {}), **({size: limit} if limit else {})}
        answer = getattr(client, operation)(**given)
        return [each(entry) for entry in answer[member]], answer.get(token_out)
    return page


@pytest.fixture(scope='module')
def lists(server, client):
    """{name: (page function, (status, code, message) of a wrong token)}, each list with five entries or more."""
    iam, logs, gateway, function = client('iam'), client('logs'), client('apigateway'), client('lambda')
    path, group = '/paging/', 'paging/0'
    for i in range(5):
        iam.create_user(UserName=f'paging{i}', Path=path)
        iam.create_role(RoleName=f'paging{i}', Path=path, AssumeRolePolicyDocument=harness.LAMBDA_TRUST)
        logs.create_log_group(logGroupName=f'paging/{i}')
        logs.create_log_stream(logGroupName=group, logStreamName=f's{i}')
        iam.put_user_policy(UserName='paging0', PolicyName=f'p{i}', PolicyDocument=json.dumps({
            'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]}))
    # Policies whose ARNs share their first four hundred characters: a marker cannot hold them.
    for i in range(5):
        arn = iam.create_policy(PolicyName=f'{i}'.rjust(100, 'n'), Path='/' + 'p' * 400 + '/', PolicyDocument=json.dumps({
            'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*', 'Resource': '*'}]}))['Policy']['Arn']
        iam.attach_role_policy(RoleName='paging0', PolicyArn=arn)
    iam.tag_role(RoleName='paging0', Tags=[{'Key': f't{i}', 'Value': ''} for i in range(5)])
    api = gateway.create_rest_api(name='paging')
    for i in range(4):
        gateway.create_resource(restApiId=api['id'], parentId=api['rootResourceId'], pathPart=f'r{i}')
        gateway.create_rest_api(name=f'paging{i}')
    gateway.put_method(restApiId=api['id'], resourceId=api['rootResourceId'], httpMethod='GET', authorizationType='NONE')
    gateway.put_integration(restApiId=api['id'], resourceId=api['rootResourceId'], httpMethod='GET', type='MOCK')
    for _ in range(5):
        gateway.create_deployment(restApiId=api['id'])
    role = iam.get_role(RoleName='paging0')['Role']['Arn']
    for i in range(5):
        function.create_function(FunctionName=f'paging{i}', Role=role, Handler='bootstrap', Runtime='provided.al2023',
                                 Code={'ZipFile': harness.zip_of({'bootstrap': '#!/bin/sh\n'})})
    marker, token, position = ('Marker', 'Marker', 'MaxItems'), ('nextToken', 'nextToken', 'limit'), ('position', 'position', 'limit')
    bad_marker = (400, 'ValidationError', 'Invalid Marker.')
    bad_token = (400, 'InvalidParameterException', 'The specified nextToken is invalid.')
    bad_position = (400, 'BadRequestException', 'Invalid position parameter specified')
    return {
        'users': (trail(iam, 'list_users', 'Users', *marker, lambda e: e['UserName'], PathPrefix=path), bad_marker),
        'roles': (trail(iam, 'list_roles', 'Roles', *marker, lambda e: e['RoleName'], PathPrefix=path), bad_marker),
        'inline policies': (trail(iam, 'list_user_policies', 'PolicyNames', *marker, str, UserName='paging0'), bad_marker),
        'attached policies': (trail(iam, 'list_attached_role_policies', 'AttachedPolicies', *marker, lambda e: e['PolicyArn'],
                                    RoleName='paging0'), bad_marker),
        'policies': (trail(iam, 'list_policies', 'Policies', *marker, lambda e: e['Arn']), bad_marker),
        'tags': (trail(iam, 'list_role_tags', 'Tags', *marker, lambda e: e['Key'], RoleName='paging0'), bad_marker),
        'groups': (trail(logs, 'describe_log_groups', 'logGroups', *token, lambda e: e['logGroupName'], logGroupNamePrefix='paging/'),
                   bad_token),
        'streams': (trail(logs, 'describe_log_streams', 'logStreams', *token, lambda e: e['logStreamName'], logGroupName=group), bad_token),
        'streams, descending': (trail(logs, 'describe_log_streams', 'logStreams', *token, lambda e: e['logStreamName'],
                                      logGroupName=group, descending=True), bad_token),
        'streams by time': (trail(logs, 'describe_log_streams', 'logStreams', *token, lambda e: e['logStreamName'],
                                  logGroupName=group, orderBy='LastEventTime'), bad_token),
        'APIs': (trail(gateway, 'get_rest_apis', 'items', *position, lambda e: e['id']), bad_position),
        'resources': (trail(gateway, 'get_resources', 'items', *position, lambda e: e['path'], restApiId=api['id']), bad_position),
        'deployments': (trail(gateway, 'get_deployments', 'items', *position, lambda e: e['id'], restApiId=api['id']), bad_position),
        'functions': (trail(function, 'list_functions', 'Functions', 'Marker', 'NextMarker', 'MaxItems', lambda e: e['FunctionName']),
                      (400, 'InvalidParameterValueException', 'The value of Marker is not one that was given.')),
    }


NAMES = ['users', 'roles', 'inline policies', 'attached policies', 'policies', 'tags', 'groups', 'streams', 'streams, descending',
         'streams by time', 'APIs', 'resources', 'deployments', 'functions']


def refusal(page, token):
    with pytest.raises(ClientError) as caught:
        page(token)
    error = caught.value.response
    return error['ResponseMetadata']['HTTPStatusCode'], error['Error']['Code'], error['Error'].get('Message')


@pytest.mark.parametrize('name', NAMES)
def test_pages_show_everything_once(lists, name):
    page, _ = lists[name]
    everything, more = page(limit=50)
    while more:             # what other tests have left on the same server
        entries, more = page(more, 50)
        everything += entries
    assert len(everything) >= 5 and len(set(everything)) == len(everything)
    for limit in (1, 2, 4):
        found, token = page(limit=limit)
        while token:
            assert len(token) <= 320
            entries, token = page(token, limit)
            assert 0 < len(entries) <= limit
            found += entries
        assert found == everything


@pytest.mark.parametrize('name', NAMES)
def test_tokens_that_nobody_gave(lists, name):
    page, wrong = lists[name]
    _, token = page(limit=2)
    changed = token[:-6] + ('A' if token[-6] != 'A' else 'B') + token[-5:]
    for made_up in ('x', 'AAAA', '5', 'paging0', changed, token[:-4], 'A' * 300):
        assert refusal(page, made_up) == wrong, made_up
    other = 'roles' if name == 'users' else 'users'
    assert refusal(page, lists[other][0](limit=2)[1]) == wrong
    status, code, _ = refusal(page, 'A' * 6000)         # over the model's length, or over ours
    assert status == 400 and code in (wrong[1], 'ValidationError', 'ValidationException')


def test_tokens_of_events_and_of_other_streams(client, unique):
    logs, group = client('logs'), unique('events')
    logs.create_log_group(logGroupName=group)
    for name in 'ab':
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    here = logs.get_log_events(logGroupName=group, logStreamName='a', startFromHead=True)['nextForwardToken']
    assert here.startswith('f/')
    for stream, token in (('b', here), ('a', here[:-2]), ('a', 'b/' + here[2:]), ('a', here[2:])):
        with pytest.raises(logs.exceptions.InvalidParameterException, match='The specified nextToken is invalid.'):
            logs.get_log_events(logGroupName=group, logStreamName=stream, nextToken=token)
    with pytest.raises(logs.exceptions.InvalidParameterException, match='The specified nextToken is invalid.'):
        logs.filter_log_events(logGroupName=group, nextToken=here)
    for token in ('A' * 6000, 'f/' + 'A' * 6000, 'b/' + 'A' * 300, 'f/', here + here):
        with pytest.raises(logs.exceptions.InvalidParameterException, match='The specified nextToken is invalid.'):
            logs.get_log_events(logGroupName=group, logStreamName='a', nextToken=token)
        with pytest.raises(logs.exceptions.InvalidParameterException, match='The specified nextToken is invalid.'):
            logs.filter_log_events(logGroupName=group, nextToken=token)


def test_tokens_outlive_a_restart():
    with harness.running() as server:
        iam = server.client('iam')
        for i in range(3):
            iam.create_user(UserName=f'u{i}')
        first = iam.list_users(MaxItems=2)
        server.stop()
        server.start()
        rest = server.client('iam').list_users(Marker=first['Marker'])
        assert [u['UserName'] for u in rest['Users']] == ['u2']


# ---- every operation that pages, by the models ----

TOKENS = {'Marker', 'NextToken', 'nextToken', 'position'}


def paging_operations():
    session = botocore.session.get_session()
    for service, operation in rows():
        shape = session.get_service_model(service).operation_model(operation).input_shape
        for member in TOKENS & set(shape.members if shape else ()):
            yield service, operation, member


PAGING = sorted(paging_operations())


@pytest.fixture(scope='module')
def real(server, client, lists):
    """What the operations are asked about is there, so that only the token is wrong."""
    iam, gateway, dynamodb = client('iam'), client('apigateway'), client('dynamodb')
    dynamodb.create_table(TableName='paging', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                          AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
    api = next(a['id'] for a in gateway.get_rest_apis(limit=500)['items'] if a['name'] == 'paging')
    return {'UserName': 'paging0', 'RoleName': 'paging0', 'FunctionName': 'paging0', 'logGroupName': 'paging/0', 'logStreamName': 's0',
            'PolicyArn': iam.list_attached_role_policies(RoleName='paging0')['AttachedPolicies'][0]['PolicyArn'], 'restApiId': api,
            'ResourceArn': dynamodb.describe_table(TableName='paging')['Table']['TableArn'],
            'resourceArn': f'arn:aws:apigateway:{harness.REGION}::/restapis/{api}'}


def test_the_models_have_paging_operations():
    assert len(PAGING) >= 25 and {service for service, _, _ in PAGING} == {'apigateway', 'dynamodb', 'iam', 'lambda', 'logs'}


@pytest.mark.parametrize('service, operation, member', PAGING)
def test_no_operation_takes_a_made_up_token(server, real, service, operation, member):
    at = server.client(service, parameter_validation=False)
    given = {name: real.get(name, value) for name, value in input_for(service, operation).items()}
    call_of(at, operation)(**given)
    for token in ('x', '5', 'AAAA', 'f/1', 'A' * 319, 'A' * 70000, '\u00e9\u20ac', '%00'):
        with pytest.raises(ClientError) as caught:
            call_of(at, operation)(**given, **{member: token})
        error = caught.value.response
        status = error['ResponseMetadata']['HTTPStatusCode']
        refused = status == 501 and member in error['Error']['Message']     # by name: such pages are never given
        assert 400 <= status < 500 or refused, (token[:20], error)
