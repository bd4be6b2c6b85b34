"""The library for functions in C against the server: function_dynamodb.c does every typed call, and boto3 looks at what it did.
Transactions are tested against a scripted server only (tests/unit/function/dynamodb_test.c)."""
import json
import os
import subprocess
from decimal import Decimal

import pytest

import harness

SOURCE = os.path.join(harness.ROOT, 'tests', 'e2e', 'function_dynamodb.c')
PEAK_KIB_MAX = 3 << 10


@pytest.fixture(scope='module')
def program(tmp_path_factory):
    """Compiled as a person would: the public headers and the archive, nothing else of the tree."""
    path = tmp_path_factory.mktemp('function') / 'function_dynamodb'
    subprocess.run(['gcc', '-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-no-pie', '-I', os.path.join(harness.ROOT, 'include'), '-o', path, SOURCE,
                    harness.function_archive(), '-Wl,--gc-sections', '-l:libssl.a', '-l:libcrypto.a', '-lpthread', '-ldl'], check=True)
    return path


@pytest.fixture
def table(client, unique):
    name = unique('lib')
    client('dynamodb').create_table(TableName=name, BillingMode='PAY_PER_REQUEST',
                                    KeySchema=[{'AttributeName': 'pk', 'KeyType': 'HASH'}, {'AttributeName': 'sk', 'KeyType': 'RANGE'}],
                                    AttributeDefinitions=[{'AttributeName': 'pk', 'AttributeType': 'S'}, {'AttributeName': 'sk', 'AttributeType': 'N'}])
    client('dynamodb').get_waiter('table_exists').wait(TableName=name, WaiterConfig={'Delay': 0.2})
    yield name
    client('dynamodb').delete_table(TableName=name)


@pytest.fixture
def run(program, server, table):
    """run(scenario): what the program says about it. Keywords are environment variables."""
    def run(scenario, **more):
        env = {'AWS_ENDPOINT_URL': server.url, 'AWS_REGION': harness.REGION, 'AWS_ACCESS_KEY_ID': server.access_key,
               'AWS_SECRET_ACCESS_KEY': server.secret_key, **more}
        done = subprocess.run([program, scenario, table], env=env, capture_output=True, text=True, timeout=90)
        assert (done.returncode, done.stderr) == (0, ''), done
        return json.loads(done.stdout, parse_float=Decimal)
    return run


ORDER = {'lines': [{'item': '\u00e4', 'price': Decimal('12.10')}, None, True], 'empty': {}}


def test_put_and_get(run, server, table):
    said = run('put_and_get')
    assert said == {
        'put': 'CL_DDB_OK', 'get': 'CL_DDB_OK', 'bytes': 'AAH/', 'get_absent': 'CL_DDB_OK', 'absent': None, 'get_projected': 'CL_DDB_OK',
        'projected': {'done': False, 'order': ORDER},
        'item': {'pk': 'one', 'sk': 1, 'price': Decimal('12345678901234567890.12345678901234567'), 'done': False, 'nothing': None, 'bytes': 'AAH/', 'order': ORDER, 'tags': ['a', 'b'], 'numbers': [1, Decimal('2.5')]}}
    stored = server.resource('dynamodb').Table(table).get_item(Key={'pk': 'one', 'sk': 1})['Item']
    assert bytes(stored.pop('bytes').value) == b'\0\1\xff'
    assert stored == {**{k: v for k, v in said['item'].items() if k != 'bytes'}, 'tags': {'a', 'b'}, 'numbers': {Decimal(1), Decimal('2.5')}}


def test_update_and_delete(run):
    said = run('update_and_delete')
    assert said.pop('new') == {'pk': 'one', 'sk': 1, 'price': Decimal('12345678901234567890.12345678901234567'), 'done': False, 'nothing': None,
                               'size': 'large', 'a.b': 7, 'made': 5, 'count': 2}
    assert said.pop('old')['size'] == 'large'
    assert said.pop('message').endswith(': ConditionalCheckFailedException: The conditional request failed')
    assert said == {'update': 'CL_DDB_OK', 'put_again': 'CL_DDB_CONDITION_FAILED', 'delete': 'CL_DDB_OK', 'delete_again': 'CL_DDB_OK', 'old_again': None}


def test_pages(run):
    said = run('pages')
    assert sorted(said.pop('scan')) == [127, 128, 129]
    assert said == {'batch_write': 'CL_DDB_OK', 'query': list(range(100)), 'query_down': list(range(9, -1, -1)), 'query_between': list(range(20, 30)), 'scanned': 130}


def test_batches(run, client, table):
    assert run('batches') == {'write': 'CL_DDB_OK', 'get': 'CL_DDB_OK', 'found': 130, 'remove': 'CL_DDB_OK', 'get_again': 'CL_DDB_OK', 'left': 30}
    assert client('dynamodb').scan(TableName=table, Select='COUNT')['Count'] == 30


def test_errors(run):
    said = run('errors')
    assert said.pop('no_table_message').startswith('GetItem on no-such-table: ResourceNotFoundException: ')
    assert said == {'no_table': 'CL_DDB_TABLE_NOT_FOUND', 'wrong_key': 'CL_DDB_VALIDATION', 'bad_expression': 'CL_DDB_VALIDATION', 'late': 'CL_DDB_DEADLINE',
                    'call': 'CL_DDB_OK', 'is_list': True, 'no_operation': 'CL_DDB_OTHER'}


def test_wrong_secret(run):
    said = run('errors', AWS_SECRET_ACCESS_KEY='another')
    assert said['call'] == said['no_table'] == 'CL_DDB_ACCESS_DENIED'
    assert 'another' not in said['no_table_message']


def test_missing_configuration(program, table):
    done = subprocess.run([program, 'errors', table], env={'AWS_REGION': 'x', 'AWS_ACCESS_KEY_ID': 'y'}, capture_output=True, text=True, timeout=90)
    assert (done.returncode, done.stdout, done.stderr) == (2, '', 'AWS_SECRET_ACCESS_KEY is not set\n')


def test_memory(run):
    said = run('memory')
    assert said['get'] == 'CL_DDB_OK' and said['peak'] <= PEAK_KIB_MAX
