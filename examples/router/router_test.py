"""The operation router from outside: every operation, and what it refuses."""
import uuid

import pytest


def ask(app, operation, table='router-items', **payload):
    answer = app.ask('POST', '', {'operation': operation, 'tableName': table, 'payload': payload})
    assert answer.status == 200, answer.text        # a non-proxy integration: a failed function's error is a 200 as well
    return answer.json


@pytest.fixture
def key():
    return {'id': uuid.uuid4().hex}


def test_ping_and_echo(app):
    assert ask(app, 'ping') == 'pong'
    assert ask(app, 'echo', a=[1, 2.5, {'b': None}], text='é "quoted"') == {'a': [1, 2.5, {'b': None}], 'text': 'é "quoted"'}
    assert app.ask('POST', '', {'operation': 'echo'}).json == {}


def test_an_item_lives(app, key):
    item = {**key, 'name': 'Ada', 'year': 1815, 'price': 12.25, 'tags': ['a', 1, None, True], 'nested': {'deep': {'er': 'x'}}}
    assert ask(app, 'create', Item=item) == {}
    assert ask(app, 'read', Key=key) == {'Item': item}
    changed = ask(app, 'update', Key=key, UpdateExpression='SET #y = #y + :one REMOVE nested', ExpressionAttributeNames={'#y': 'year'},
                  ExpressionAttributeValues={':one': 1}, ReturnValues='UPDATED_NEW')
    assert changed == {'Attributes': {'year': 1816}}
    listed = ask(app, 'list', FilterExpression='id = :i', ExpressionAttributeValues={':i': key['id']})
    assert listed['Count'] == 1 and listed['Items'][0]['year'] == 1816 and 'nested' not in listed['Items'][0]
    assert ask(app, 'delete', Key=key, ReturnValues='ALL_OLD')['Attributes']['name'] == 'Ada'
    assert ask(app, 'read', Key=key) == {}


@pytest.mark.parametrize('request_, type_, message', [
    ({'operation': 'create', 'tableName': 'router-items', 'payload': {'Item': {'name': 'no key'}}}, 'TableError',
     'PutItem on router-items: ValidationException: One or more parameter values were invalid: Missing the key id in the item'),
    ({'operation': 'list', 'tableName': 'another-table'}, 'TableError', 'Scan on another-table: AccessDeniedException: '),
    ({'operation': 'drop'}, 'ValueError', "unknown operation: 'drop'"),
    ({'operation': 'read'}, 'KeyError', "'tableName'"),
], ids=['no key', 'another table', 'unknown operation', 'no table'])
def test_refused(app, request_, type_, message):
    error = app.ask('POST', '', request_).json
    assert error['errorType'] == type_ and error['errorMessage'].startswith(message)


def test_a_condition_that_fails(app, key):
    ask(app, 'create', Item=key)
    error = ask(app, 'create', Item=key, ConditionExpression='attribute_not_exists(id)')
    assert error['errorMessage'] == 'PutItem on router-items: ConditionalCheckFailedException: The conditional request failed'


def test_a_body_that_is_no_json(app):
    assert app.ask('POST', '', '{"operation":').status == 400
