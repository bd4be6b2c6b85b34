"""The public write-ups, followed step by step with their own code, policies, payloads and commands. Where a text would fail on
AWS it fails here in the same way."""
import json
import re
import subprocess

import pytest

import harness
import seeds
from apis import Api

pytestmark = pytest.mark.plain

TABLE = 'lambda-apigateway'


def newest_of(*wanted):
    """The runtime a text names, or the nearest that has an interpreter here."""
    listed = subprocess.run([harness.BINARY, 'runtime', 'list'], capture_output=True, text=True, check=True).stdout
    present = [line.split()[1] for line in listed.splitlines() if line.startswith('ok')]
    return next(r for r in (*wanted, 'python3.11') if r in present)


@pytest.fixture
def own_server():
    """Names are the texts' own, so each text has a server to itself."""
    server = harness.Server().start()
    yield server
    server.stop()
    server.remove()


def make_table(server, name):
    server.client('dynamodb').create_table(TableName=name, BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'id', 'KeyType': 'HASH'}],
                                           AttributeDefinitions=[{'AttributeName': 'id', 'AttributeType': 'S'}])


def role_with_policy(server, role, policy_name, document):
    iam = server.client('iam')
    arn = iam.create_policy(PolicyName=policy_name, PolicyDocument=document)['Policy']['Arn']
    return harness.make_role(server, role, policies=[arn])


def curl(command, **replacements):
    """Runs a command of a text in bash with the text's place holders replaced."""
    for old, new in replacements.items():
        command = command.replace(old, new)
    return subprocess.run(['bash', '-c', command.replace('curl', "curl -sS -w '\\n%{http_code}'", 1)], capture_output=True, text=True, check=True).stdout


def split(output):
    body, _, status = output.rpartition('\n')
    return int(status), body


def manager_api(server, stage):
    api = Api(server, 'DynamoDBOperations')
    api.function('/DynamoDBManager', 'POST', 'LambdaFunctionOverHttps', proxy=False)
    api.deploy(stage)
    return api


def ask(api, stage, payload):
    answer = api.call('POST', stage, '/DynamoDBManager', payload if isinstance(payload, str) else json.dumps(payload))
    assert answer.status == 200, answer.text
    return answer.json


def test_001_operation_router(own_server):
    server, text = own_server, seeds.text_of('001')
    policy = seeds.block(text, 'json', '"Version"', 'dynamodb:DeleteItem')
    role = role_with_policy(server, 'lambda-apigateway-role', 'lambda-custom-policy', policy)
    code = seeds.block(text, 'python', 'lambda_handler')
    harness.deploy_function(server, 'LambdaFunctionOverHttps', None, handler='lambda_function.lambda_handler', role=role, Timeout=30,
                            runtime=newest_of('python3.13'), files={'lambda_function.py': code})

    echo = json.loads(seeds.block(text, 'json', '"echo"'))
    answer = server.client('lambda').invoke(FunctionName='LambdaFunctionOverHttps', Payload=json.dumps(echo))
    assert json.loads(answer['Payload'].read()) == echo['payload'], 'the output matches the input'

    make_table(server, TABLE)
    api = manager_api(server, 'Prod')
    created = ask(api, 'Prod', seeds.block(text, 'json', '"create"', '1234ABCD'))
    assert created['ResponseMetadata']['HTTPStatusCode'] == 200
    ask(api, 'Prod', seeds.block(text, 'json', '"create"', '"1"'))
    read = ask(api, 'Prod', seeds.block(text, 'json', '"read"'))
    assert read['Item'] == {'id': '1', 'name': 'Samyu'}
    listed = ask(api, 'Prod', seeds.block(text, 'json', '"list"'))
    assert sorted(listed['Items'], key=lambda i: i['id']) == [{'id': '1', 'name': 'Samyu'}, {'id': '1234ABCD', 'number': 5}]
    assert listed['Count'] == 2
    assert ask(api, 'Prod', {'operation': 'ping'}) == 'pong'

    # The text deploys to the stage Prod and calls /prod: stages are case-sensitive.
    command = seeds.block(text, 'bash', 'curl')
    base = f'{server.url}/_aws/execute-api/{api.id}'
    status, body = split(curl(command, **{'https://$API.execute-api.$REGION.amazonaws.com': base}))
    assert status == 403 and json.loads(body) == {'message': 'Forbidden'}
    status, body = split(curl(command, **{'https://$API.execute-api.$REGION.amazonaws.com/prod': f'{base}/Prod'}))
    assert status == 200 and json.loads(body)['ResponseMetadata']['HTTPStatusCode'] == 200, 'curl sends a form type; the body passes through'

    # An unknown operation raises; the default answer carries the error with status 200.
    error = ask(api, 'Prod', {'operation': 'drop'})
    assert error['errorType'] == 'ValueError' and error['errorMessage'] == 'Unrecognized operation "drop"'
    answer = api.call('POST', 'Prod', '/DynamoDBManager', 'not json')
    assert answer.status == 400 and 'Could not parse request body into json' in answer.json['message']


def test_002_lab_policy_and_requests(own_server):
    """The text breaks off inside its code, which is the code of 001; policy, names and requests are its own."""
    server, text = own_server, seeds.text_of('002')
    policy = seeds.block(text, 'json', '"Version"', 'Stmt1428341300017')
    role = role_with_policy(server, 'lambda-apigateway-role', 'lambda-custom-policy', policy)
    code = seeds.block(seeds.text_of('001'), 'python', 'lambda_handler')
    harness.deploy_function(server, 'LambdaFunctionOverHttps', None, handler='lambda_function.lambda_handler', role=role, Timeout=30,
                            runtime=newest_of('python3.9'), files={'lambda_function.py': code})
    make_table(server, TABLE)
    api = manager_api(server, 'Prod')
    ask(api, 'Prod', seeds.block(text, 'json', '"create"', 'Bob'))
    assert ask(api, 'Prod', seeds.block(text, 'json', '"read"'))['Item'] == {'id': '1', 'name': 'Bob'}
    updated = ask(api, 'Prod', {'operation': 'update', 'tableName': TABLE, 'payload': {
        'Key': {'id': '1'}, 'AttributeUpdates': {'name': {'Value': 'Rob', 'Action': 'PUT'}}, 'ReturnValues': 'ALL_NEW'}})
    assert updated['Attributes'] == {'id': '1', 'name': 'Rob'}
    ask(api, 'Prod', {'operation': 'delete', 'tableName': TABLE, 'payload': {'Key': {'id': '1'}}})
    assert 'Item' not in ask(api, 'Prod', seeds.block(text, 'json', '"read"'))
    # The policy allows no other action on tables, and the function says so.
    denied = server.client('lambda').invoke(FunctionName='LambdaFunctionOverHttps', Payload=json.dumps(
        {'operation': 'create', 'tableName': 'missing', 'payload': {'Item': {'id': '1'}}}))
    assert json.loads(denied['Payload'].read())['errorType'] == 'ResourceNotFoundException'


def todo_function(server, text):
    policy = seeds.block(text, 'json', '"Version"', 'logs:CreateLogGroup')
    role = role_with_policy(server, 'lambda-dynamodb-role', 'lambda-dynamodb-policy', policy)
    make_table(server, 'TodoItems')
    code = seeds.block(text, 'python', 'lambda_handler')
    harness.deploy_function(server, 'todo-api-handler', None, handler='lambda_function.lambda_handler', role=role, Timeout=30,
                            runtime=newest_of('python3.9'), files={'lambda_function.py': code})


def test_003_todo_api(own_server):
    server, text = own_server, seeds.text_of('003')
    todo_function(server, text)
    api = Api(server, 'todo-api')
    for path, methods in (('/todos', ['GET', 'POST']), ('/todos/{id}', ['GET', 'PUT', 'DELETE'])):
        for method in methods:
            api.function(path, method, 'todo-api-handler')
        api.cors(path, ','.join([*methods, 'OPTIONS']))
    url = api.deploy('prod')

    commands = {re.search(r'-X (\w+)', c).group(1) if '-X' in c else ('GET one' if '{todo-id}' in c else 'GET'): c for c in seeds.blocks(text, 'bash')}
    todo_id = 'none'

    def run(name):
        status, body = split(curl(commands[name], **{'https://your-api-id.execute-api.region.amazonaws.com/prod': url, '{todo-id}': todo_id}))
        return status, json.loads(body)

    status, created = run('POST')
    assert status == 201 and created['title'] == 'Learn AWS' and created['completed'] is False
    todo_id = created['id']
    assert run('GET') == (200, {'items': [created], 'count': 1})
    assert run('GET one') == (200, created)
    status, updated = run('PUT')
    assert status == 200 and updated['title'] == 'Learn AWS - Updated' and updated['completed'] is True
    assert updated['createdAt'] == created['createdAt'] and updated['updatedAt'] > created['updatedAt']

    # Without a title the text passes ExpressionAttributeNames=None, which boto3 refuses: its own 500.
    answer = api.call('PUT', 'prod', f'/todos/{todo_id}', json.dumps({'completed': False}))
    assert (answer.status, answer.json) == (500, {'error': 'Internal server error'})
    assert run('DELETE') == (200, {'message': 'Todo deleted successfully'})
    assert run('GET one') == (404, {'error': 'Todo not found'})

    preflight = api.call('OPTIONS', 'prod', '/todos', headers={'Origin': 'http://here', 'Access-Control-Request-Method': 'POST'})
    assert preflight.status == 200 and preflight.headers['Access-Control-Allow-Origin'] == '*'
    assert preflight.headers['Access-Control-Allow-Methods'] == 'GET,POST,OPTIONS'
    assert api.call('GET', 'prod', '/todos').headers['Access-Control-Allow-Origin'] == '*'
    for method, path in (('DELETE', '/todos'), ('GET', '/nothing')):
        answer = api.call(method, 'prod', path)
        assert (answer.status, answer.json) == (403, {'message': 'Missing Authentication Token'})


def test_003_taken_literally_without_proxy_integration(own_server):
    """The steps never tick the proxy integration, so the event has no httpMethod."""
    server = own_server
    todo_function(server, seeds.text_of('003'))
    api = Api(server, 'todo-api')
    api.function('/todos', 'GET', 'todo-api-handler', proxy=False)
    api.deploy('prod')
    answer = api.call('GET', 'prod', '/todos')
    assert answer.status == 200
    assert answer.json['errorType'] == 'KeyError' and answer.json['errorMessage'] == "'httpMethod'"
