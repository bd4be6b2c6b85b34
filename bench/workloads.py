"""What is asked of the server: tables and their items, functions, an API, and the prepared requests for each figure."""
import os
import random
import subprocess
import sys

import prepared
from machine import ROOT, WORK, Failed, load

sys.path.insert(0, os.path.join(ROOT, 'tests', 'e2e'))
import harness  # noqa: E402

GET_ITEMS, QUERY_PARTITIONS, QUERY_ITEMS = 10000, 1000, 10
PLAIN_CODE = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'answered'}\n"
BOTO3_CODE = ("import boto3\ntable = boto3.resource('dynamodb').Table('bench-get')\n\n\n"
              "def handler(event, context):\n    return {'statusCode': 200, 'body': 'answered ' + table.name}\n")
INTEGRATION_URI = 'arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations'


def in_work(name):
    return os.path.join(WORK, name)


def signer(server):
    return prepared.DynamoDB(server.port, server.access_key, server.secret_key)


def item_1k(n):
    """1,024 bytes as DynamoDB counts them: names and values."""
    item = {'pk': {'S': f'item-{n:08d}'}, 'count': {'N': f'{n + 10**7}'}}
    size = 2 + 13 + 5 + 5               # a number of 8 digits: 5 bytes
    for name in ('title', 'owner', 'state', 'place', 'notes'):
        length = 250 if name == 'notes' else 180
        item[name] = {'S': f'{name}-{n:08d}-'.ljust(length, 'abcdefghij'[n % 10])}
        size += len(name) + length
    item['rest'] = {'S': 'r' * (1024 - size - 4)}
    return item


def item_300(key):
    return {'pk': {'S': key}, 'v': {'S': 'v' * (300 - 2 - len(key) - 1)}}


# ---- DynamoDB ----

def make_table(server, name, sort=None):
    keys = [('pk', 'S', 'HASH')] + ([(sort, 'N', 'RANGE')] if sort else [])
    dynamodb = server.client('dynamodb')
    dynamodb.create_table(TableName=name, BillingMode='PAY_PER_REQUEST',
                          AttributeDefinitions=[{'AttributeName': k, 'AttributeType': t} for k, t, _ in keys],
                          KeySchema=[{'AttributeName': k, 'KeyType': kind} for k, _, kind in keys])
    dynamodb.get_waiter('table_exists').wait(TableName=name, WaiterConfig={'Delay': 1})


def put_all(server, table, items, connections=64, watch=()):
    """Each item once, every answer waited for; the load generator's result."""
    sign = signer(server)
    path = in_work('puts')
    prepared.write(path, ((sign.call('PutItem', {'TableName': table, 'Item': item}), '{}') for item in items))
    return load(server.port, path, connections=connections, watch=watch)


def prepare_get(server):
    make_table(server, 'bench-get')
    put_all(server, 'bench-get', map(item_1k, range(GET_ITEMS)))
    sign, order = signer(server), list(range(GET_ITEMS))
    random.Random(1).shuffle(order)
    prepared.write(in_work('gets'), ((sign.call('GetItem', {'TableName': 'bench-get', 'Key': {'pk': {'S': f'item-{n:08d}'}}}),
                                      f'notes-{n:08d}-') for n in order))


def prepare_query(server):
    make_table(server, 'bench-query', 'sk')
    put_all(server, 'bench-query', ({'pk': {'S': f'group-{p:06d}'}, 'sk': {'N': str(k)}, 'text': {'S': f'{p:06d} ' * 12}}
                                    for p in range(QUERY_PARTITIONS) for k in range(QUERY_ITEMS)))
    sign = signer(server)
    prepared.write(in_work('queries'), ((sign.call('Query', {
        'TableName': 'bench-query', 'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': {'S': f'group-{p:06d}'}}}),
        f'"Count":{QUERY_ITEMS}') for p in range(QUERY_PARTITIONS)))


def count_items(server, table):
    pages = server.client('dynamodb').get_paginator('scan').paginate(TableName=table, Select='COUNT')
    return sum(page['Count'] for page in pages)


# ---- functions and an API ----

def python_runtime():
    """The newest Python that this machine has, as `cloudless runtime list` tells."""
    listed = subprocess.run([harness.BINARY, 'runtime', 'list'], capture_output=True, text=True).stdout
    names = [words[1] for words in map(str.split, listed.splitlines()) if words[0] == 'ok' and words[1].startswith('python')]
    if not names:
        raise Failed('no Python runtime: see `cloudless doctor`')
    return 'python3.11' if 'python3.11' in names else max(names)


def invocation(server, function):
    sign = prepared.Signer('lambda', server.port, server.access_key, server.secret_key)
    return sign.request(f'/2015-03-31/functions/{function}/invocations', b'{"n":1}')


def prepare_invokes(server):
    runtime = python_runtime()
    arn = harness.deploy_function(server, 'bench-plain', PLAIN_CODE, runtime=runtime, permission=True)
    prepared.write(in_work('invokes'), [(invocation(server, 'bench-plain'), 'answered')])
    prepared.write(in_work('api'), [(prepared.plain('GET', api_path(server, arn, 'bench', ['hello']) + '/hello', f'127.0.0.1:{server.port}'), 'answered')])
    return runtime


def api_path(server, arn, name, parts):
    """A REST API whose GET of the resource with these path parts goes to the function; the path of its stage."""
    gateway = server.client('apigateway')
    api = gateway.create_rest_api(name=name)['id']
    resource = gateway.get_resources(restApiId=api)['items'][0]['id']
    for part in parts:
        resource = gateway.create_resource(restApiId=api, parentId=resource, pathPart=part)['id']
    where = {'restApiId': api, 'resourceId': resource, 'httpMethod': 'GET'}
    gateway.put_method(**where, authorizationType='NONE')
    gateway.put_integration(**where, type='AWS_PROXY', integrationHttpMethod='POST', uri=INTEGRATION_URI.format(region=harness.REGION, arn=arn))
    gateway.create_deployment(restApiId=api, stageName='bench')
    return f'/_aws/execute-api/{api}/bench'


def prepare_cold(server, runtime, kind, code, count):
    """As many functions as there will be cold starts: each is invoked once."""
    names = [f'bench-{kind}-{n}' for n in range(count)]
    for name in names:
        harness.deploy_function(server, name, code, runtime=runtime, MemorySize=512, Timeout=30)
    prepared.write(in_work(kind), [(invocation(server, name), 'answered') for name in names])
