"""The operation router from outside: every operation, and what it refuses."""
import decimal
import json
import os
import subprocess
import uuid

import harness
import pytest

TABLE = 'lambda-apigateway'
OWN = pytest.mark.skipif('APP_URL' in os.environ, reason='needs a server of its own')
HERE = os.path.dirname(os.path.abspath(__file__))
OPERATION = 'operation: expected one of create, read, update, delete, list, echo, ping'
NO_OBJECT = 'the request must be a JSON object, in UTF-8 and at most 128 levels deep'


def ask(app, operation, **payload):
    answer = app.ask('POST', '', {'operation': operation, 'tableName': TABLE, 'payload': payload})
    assert answer.status == 200, answer.text
    return answer.json


@pytest.fixture
def key():
    return {'id': uuid.uuid4().hex}


def test_ping_and_echo(app):
    assert ask(app, 'ping') == 'pong'
    assert ask(app, 'echo', a=[1, 2.5, {'b': None}], text='é "quoted"') == {'a': [1, 2.5, {'b': None}], 'text': 'é "quoted"'}
    assert app.ask('POST', '', {'operation': 'echo'}).json is None


@pytest.mark.parametrize('payload', [None, [], '', 0, False, {}, 1.5, 'text'])
def test_echo_of_anything(app, payload):
    answer = app.ask('POST', '', {'operation': 'echo', 'payload': payload})
    assert answer.status == 200 and answer.json == payload and type(answer.json) is type(payload)


def test_an_item_lives(app, key):
    item = {**key, 'name': 'Ada', 'year': 1815, 'price': 12.25, 'tags': ['a', 1, None, True], 'nested': {'deep': {'er': 'x'}}}
    assert ask(app, 'create', Item=item) == {}
    assert ask(app, 'read', Key=key) == {'Item': item}
    changed = ask(app, 'update', Key=key, UpdateExpression='SET #y = #y + :one REMOVE nested', ExpressionAttributeNames={'#y': 'year'},
                  ExpressionAttributeValues={':one': 1}, ReturnValues='UPDATED_NEW')
    assert changed == {'Attributes': {'year': 1816}}
    listed = ask(app, 'list', FilterExpression='id = :i', ExpressionAttributeValues={':i': key['id']}, ConsistentRead=True)
    assert listed['Count'] == 1 and listed['Items'][0]['year'] == 1816 and 'nested' not in listed['Items'][0]
    assert ask(app, 'delete', Key=key, ReturnValues='ALL_OLD')['Attributes']['name'] == 'Ada'
    assert ask(app, 'read', Key=key) == {}


def test_a_list_by_pages(app, key):
    ids = {key['id'], uuid.uuid4().hex}
    for number in ids:
        ask(app, 'create', Item={'id': number})
    seen, page = [], {}
    while not seen or 'LastEvaluatedKey' in page:
        page = ask(app, 'list', Limit=1.0, **({'ExclusiveStartKey': page['LastEvaluatedKey']} if page else {}))
        seen += [item['id'] for item in page['Items']]
    assert ids <= set(seen) and len(seen) == len(set(seen))


@OWN
def test_answers_are_exact(app, server, key):
    """Whatever has written the item: every type, numbers of 38 digits."""
    digits = '12345678901234567890.123456789012345678'
    server.client('dynamodb').put_item(TableName=TABLE, Item={'id': {'S': key['id']}, 'n': {'N': digits}, 'b': {'B': b'\0\xff'}, 'ss': {'SS': ['x']},
                                                              'ns': {'NS': ['0.1']}, 'bs': {'BS': [b'y']}})
    answer = app.ask('POST', '', {'operation': 'read', 'tableName': TABLE, 'payload': {'Key': key}})
    assert json.loads(answer.text, parse_float=decimal.Decimal)['Item'] == {
        **key, 'n': decimal.Decimal(digits), 'b': 'AP8=', 'ss': ['x'], 'ns': [decimal.Decimal('0.1')], 'bs': ['eQ==']}


@pytest.mark.parametrize('request_, message', [
    ({}, OPERATION), ([], NO_OBJECT), (None, NO_OBJECT), (1, NO_OBJECT), ('x', NO_OBJECT),
    ({'operation': 'drop'}, OPERATION.replace('expected', 'there is no "drop", expected')),
    ({'operation': ''}, OPERATION.replace('expected', 'there is no "", expected')),
    ({'operation': 'löschen "\n\0'}, OPERATION.replace('expected', r'there is no "löschen \"\n\u0000", expected')),
    ({'operation': 'ä' * 65}, OPERATION.replace('expected', f'there is no "{"ä" * 64}", expected')),
    ({'operation': ['create']}, OPERATION), ({'operation': 1}, OPERATION),
    ({'operation': 'read'}, 'tableName: required'), ({'operation': 'read', 'tableName': 1}, 'tableName: expected a string'),
], ids=str)
def test_bad_requests(app, request_, message):
    answer = app.ask('POST', '', json.dumps(request_))
    assert answer.status == 400 and answer.json['errorType'] == 'BadRequest' and answer.json['errorMessage'] == f'Bad request: {message}'


@pytest.mark.parametrize('operation, payload, message', [
    ('list', 1, ': expected an object'), ('list', [], ': expected an object'), ('list', '', ': expected an object'), ('list', False, ': expected an object'),
    ('create', None, '.Item: required'), ('create', {'Item': 'x'}, '.Item: expected an object'), ('read', {}, '.Key: required'),
    ('create', {'Item': {'id': '1'}, 'Colour': 'red'}, '.Colour: unknown member'), ('create', {'TableName': 'x', 'Item': {'id': '1'}}, '.TableName: unknown member'),
    ('update', {'Key': {'id': '1'}, 'AttributeUpdates': {}}, '.AttributeUpdates: unknown member'), ('list', {'ScanFilter': {}}, '.ScanFilter: unknown member'),
    ('read', {'Key': {'id': '1'}, 'ConsistentRead': 'yes'}, '.ConsistentRead: expected true or false'),
    *(('list', {'Limit': limit}, '.Limit: expected an integer') for limit in (True, '1', 2.5, 10 ** 20)),
    ('list', {'FilterExpression': 1}, '.FilterExpression: expected a string'),
    ('list', {'ExpressionAttributeNames': []}, '.ExpressionAttributeNames: expected an object'),
], ids=str)
def test_payloads_that_are_wrong(app, operation, payload, message):
    answer = app.ask('POST', '', {'operation': operation, 'tableName': TABLE, 'payload': payload})
    assert answer.status == 400 and answer.json['errorMessage'] == f'Bad request: payload{message}'


@pytest.mark.parametrize('operation, payload, message', [
    ('create', {'Item': {'name': 'no key'}},
     'PutItem on lambda-apigateway: ValidationException: One or more parameter values were invalid: Missing the key id in the item'),
    ('create', {'Item': {'id': '1', 'n': 10 ** 40 + 1}}, 'PutItem on lambda-apigateway: ValidationException: '),
    ('list', {'Limit': 0}, 'Scan on lambda-apigateway: ValidationException: '),
    ('update', {'Key': {'id': '1'}, 'UpdateExpression': 'SET a ='}, 'UpdateItem on lambda-apigateway: ValidationException: '),
    ('list', {'ExpressionAttributeNames': {'#a': 1}}, 'Scan on lambda-apigateway: SerializationException'),
], ids=str)
def test_what_dynamodb_refuses(app, operation, payload, message):
    answer = app.ask('POST', '', {'operation': operation, 'tableName': TABLE, 'payload': payload})
    assert answer.status == 400 and answer.json['errorMessage'].startswith(f'Bad request: {message}')


def test_a_condition_that_fails(app, key):
    ask(app, 'create', Item=key)
    answer = app.ask('POST', '', {'operation': 'create', 'tableName': TABLE, 'payload': {'Item': key, 'ConditionExpression': 'attribute_not_exists(id)'}})
    assert answer.status == 400
    assert answer.json['errorMessage'] == 'Bad request: PutItem on lambda-apigateway: ConditionalCheckFailedException: The conditional request failed'


def test_a_table_of_others(app):
    answer = app.ask('POST', '', {'operation': 'list', 'tableName': 'another-table'})
    assert answer.status == 500 and answer.json['errorType'] == 'TableError'
    assert answer.json['errorMessage'].startswith('DynamoDB failed: Scan on another-table: AccessDeniedException: ')


def test_dynamodb_failing(app, configured, logged):
    configured(AWS_ENDPOINT_URL_DYNAMODB='http://127.0.0.1:1')
    call = f'GetItem on {TABLE}: '
    answer = app.ask('POST', '', {'operation': 'read', 'tableName': TABLE, 'payload': {'Key': {'id': '1'}}})
    assert answer.status == 500 and answer.json['errorMessage'].startswith(f'DynamoDB failed: {call}')
    lines = logged('router-c' if app.language == 'c' else 'router', call)
    assert any(call in line and 'ERROR' in line for line in lines)


@pytest.mark.parametrize('body', [
    '{"operation":', '{"operation":"echo","payload":' + '9' * 5000 + '}' * 2,
    '{"operation":"create","tableName":"lambda-apigateway","payload":{"Item":{"id":"\\ud800"}}}', '{"operation":"\\ud800"}',
    '{"operation":"create","tableName":"lambda-apigateway","payload":{"Item":{"id":"1","deep":%s%s}}}' % ('[' * 900, ']' * 900),
    '{"operation":"echo","payload":%s%s}' % ('[' * 5000, ']' * 5000),
], ids=['cut off', 'two ends', 'a surrogate', 'a surrogate as operation', 'deep', 'very deep'])
def test_bodies_that_are_wrong(app, body):
    assert app.ask('POST', '', body).status == 400


@OWN
def test_a_deployment_that_fails_is_no_url(server, deployed, tmp_path):
    deployed('router', 'c')
    harness.executable(tmp_path / 'aws', '#!/bin/sh\ncase " $* " in *" create-deployment "*) exit 1;; esac\nPATH=${PATH#*:} exec aws "$@"\n')
    run = subprocess.run([os.path.join(HERE, 'deploy.sh'), 'c'], capture_output=True, text=True,
                         env={**server.client_env(), 'PATH': f'{tmp_path}:{os.environ["PATH"]}'})
    assert run.returncode != 0 and run.stdout == ''
