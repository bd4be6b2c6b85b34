"""DynamoDB through boto3: every operation, its answers and the words of its errors.

Expected messages are the service's own; their sources are named in tests/corpus/dynamodb and, for what is only here, in
the tests' comments: the API reference, or answers that were recorded from the service by public conformance suites."""
import decimal
import time
import uuid

import boto3.dynamodb.conditions as conditions
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

INVALID = 'One or more parameter values were invalid: '
NOT_VALID = 'One or more parameter values are not valid. '


def S(text):
    return {'S': text}


def N(number):
    return {'N': str(number)}


@pytest.fixture(scope='module')
def db(client):
    return client('dynamodb', parameter_validation=False)


def make_table(db, name, hash_type='S', range_type=None, **more):
    keys = [('pk', hash_type)] + ([('sk', range_type)] if range_type else [])
    more.setdefault('BillingMode', 'PAY_PER_REQUEST')
    return db.create_table(TableName=name, AttributeDefinitions=[{'AttributeName': n, 'AttributeType': t} for n, t in keys],
                           KeySchema=[{'AttributeName': n, 'KeyType': k} for (n, _), k in zip(keys, ('HASH', 'RANGE'))], **more)


@pytest.fixture(scope='module')
def hash_table(db):
    name = 'hash-' + uuid.uuid4().hex[:8]
    make_table(db, name)
    return name


@pytest.fixture(scope='module')
def range_table(db):
    name = 'range-' + uuid.uuid4().hex[:8]
    make_table(db, name, range_type='N')
    return name


def error_of(call, *args, **kwargs):
    with pytest.raises(ClientError) as raised:
        call(*args, **kwargs)
    error = raised.value.response['Error']
    return error['Code'], error['Message']


def invalid(call, message, **kwargs):
    assert error_of(call, **kwargs) == ('ValidationException', message)


# ---- tables ----

def test_table_life(db, unique):
    name = unique('life')
    created = make_table(db, name, range_type='N', Tags=[{'Key': 'team', 'Value': 'blue'}])['TableDescription']
    assert created['TableStatus'] == 'CREATING'
    assert created['TableArn'] == f'arn:aws:dynamodb:us-east-1:000000000000:table/{name}'
    assert created['BillingModeSummary']['BillingMode'] == 'PAY_PER_REQUEST'
    assert created['ItemCount'] == 0 and created['TableSizeBytes'] == 0
    db.get_waiter('table_exists').wait(TableName=name, WaiterConfig={'Delay': 1, 'MaxAttempts': 3})
    table = db.describe_table(TableName=name)['Table']
    assert table['TableStatus'] == 'ACTIVE'
    # localstack, tests/aws/services/dynamodb/test_dynamodb.snapshot.json, 8 October 2025
    assert table['WarmThroughput'] == {'ReadUnitsPerSecond': 12000, 'WriteUnitsPerSecond': 4000, 'Status': 'ACTIVE'}
    assert 'WarmThroughput' not in created
    assert table['TableId'] == created['TableId'] and len(table['TableId']) == 36
    assert table['KeySchema'] == [{'AttributeName': 'pk', 'KeyType': 'HASH'}, {'AttributeName': 'sk', 'KeyType': 'RANGE'}]
    assert table['ProvisionedThroughput'] == {'NumberOfDecreasesToday': 0, 'ReadCapacityUnits': 0, 'WriteCapacityUnits': 0}
    assert db.describe_table(TableName=table['TableArn'])['Table']['TableName'] == name
    assert error_of(make_table, db, name) == ('ResourceInUseException', f'Table already exists: {name}')
    deleted = db.delete_table(TableName=name)['TableDescription']
    assert deleted['TableStatus'] == 'DELETING' and 'KeySchema' not in deleted
    missing = ('ResourceNotFoundException', f'Requested resource not found: Table: {name} not found')
    assert error_of(db.describe_table, TableName=name) == missing
    assert error_of(db.delete_table, TableName=name) == missing
    assert error_of(db.get_item, TableName=name, Key={'pk': S('a'), 'sk': N(1)}) == ('ResourceNotFoundException', 'Requested resource not found')


def test_a_table_made_again_is_empty(db, unique):
    name = unique('again')
    make_table(db, name)
    db.put_item(TableName=name, Item={'pk': S('a')})
    db.delete_table(TableName=name)
    make_table(db, name, hash_type='N')
    assert db.scan(TableName=name)['Items'] == []
    db.put_item(TableName=name, Item={'pk': N(1)})
    assert db.scan(TableName=name)['Items'] == [{'pk': N(1)}]


def test_provisioned_table(db, unique):
    name = unique('provisioned')
    make_table(db, name, BillingMode='PROVISIONED', ProvisionedThroughput={'ReadCapacityUnits': 5, 'WriteCapacityUnits': 7})
    table = db.describe_table(TableName=name)['Table']
    assert table['ProvisionedThroughput'] == {'NumberOfDecreasesToday': 0, 'ReadCapacityUnits': 5, 'WriteCapacityUnits': 7}
    assert 'BillingModeSummary' not in table
    assert table['WarmThroughput'] == {'ReadUnitsPerSecond': 5, 'WriteUnitsPerSecond': 7, 'Status': 'ACTIVE'}


@pytest.mark.parametrize('change, message', [
    ({'BillingMode': 'PROVISIONED'}, INVALID + 'ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED'),
    ({'ProvisionedThroughput': {'ReadCapacityUnits': 1, 'WriteCapacityUnits': 1}},
     INVALID + 'Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST'),
    ({'KeySchema': [{'AttributeName': 'other', 'KeyType': 'HASH'}]},
     INVALID + 'Some index key attributes are not defined in AttributeDefinitions. Keys: [other], AttributeDefinitions: [pk]'),
    ({'KeySchema': [{'AttributeName': 'pk', 'KeyType': 'HASH'}, {'AttributeName': 'pk', 'KeyType': 'RANGE'}]},
     'Invalid KeySchema: Some index key attribute have no definition'),
    ({'KeySchema': [{'AttributeName': 'pk', 'KeyType': 'RANGE'}]}, 'Invalid KeySchema: The first KeySchemaElement is not a HASH key type'),
    ({'AttributeDefinitions': [{'AttributeName': 'pk', 'AttributeType': 'S'}, {'AttributeName': 'x', 'AttributeType': 'S'}]},
     INVALID + 'Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions'),
    ({'KeySchema': [{'AttributeName': 'pk', 'KeyType': 'HASH'}] * 3},
     "1 validation error detected: Value '[" + ', '.join(['KeySchemaElement(attributeName=pk, keyType=HASH)'] * 3) +
     "]' at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2"),
    ({'KeySchema': [{'AttributeName': 'pk', 'KeyType': 'INVALID'}]},
     "1 validation error detected: Value 'INVALID' at 'keySchema.1.member.keyType' failed to satisfy constraint: "
     'Member must satisfy enum value set: [HASH, RANGE]'),
    ({'AttributeDefinitions': [{'AttributeName': 'pk', 'AttributeType': 'INVALID'}]},
     "1 validation error detected: Value 'INVALID' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "
     'Member must satisfy enum value set: [B, N, S]'),
    ({'TableName': 'ab'}, "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: "
                          'Member must have length greater than or equal to 3'),
    ({'TableName': 'bad name!'}, "1 validation error detected: Value 'bad name!' at 'tableName' failed to satisfy constraint: "
                                 'Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+'),
])
def test_create_table_refuses(db, unique, change, message):
    definition = {'TableName': unique('bad'), 'AttributeDefinitions': [{'AttributeName': 'pk', 'AttributeType': 'S'}],
                  'KeySchema': [{'AttributeName': 'pk', 'KeyType': 'HASH'}], 'BillingMode': 'PAY_PER_REQUEST'}
    invalid(db.create_table, message, **{**definition, **change})


@pytest.mark.parametrize('member, value', [
    ('GlobalSecondaryIndexes', [{'IndexName': 'abc', 'KeySchema': [{'AttributeName': 'pk', 'KeyType': 'HASH'}],
                                 'Projection': {'ProjectionType': 'ALL'}}]),
    ('StreamSpecification', {'StreamEnabled': True, 'StreamViewType': 'NEW_IMAGE'}), ('SSESpecification', {'Enabled': True}),
    ('TableClass', 'STANDARD_INFREQUENT_ACCESS'), ('DeletionProtectionEnabled', True), ('OnDemandThroughput', {'MaxReadRequestUnits': 5}),
])
def test_what_is_not_there_is_refused_by_name(db, unique, member, value):
    code, message = error_of(make_table, db, unique('refused'), **{member: value})
    assert code == 'NotImplemented' and member in message


@pytest.mark.parametrize('member', ['GlobalSecondaryIndexes', 'LocalSecondaryIndexes'])
def test_an_index_with_a_key_of_its_own_is_refused_by_name(db, unique, member):
    """Its key is one of three attributes that are defined; the table's key has one or two."""
    schema = [{'AttributeName': 'pk', 'KeyType': 'HASH'}, {'AttributeName': 'sk', 'KeyType': 'RANGE'}]
    index = {'IndexName': 'abc', 'KeySchema': [schema[0], {'AttributeName': 'other', 'KeyType': 'RANGE'}], 'Projection': {'ProjectionType': 'ALL'}}
    code, message = error_of(db.create_table, TableName=unique('refused'), BillingMode='PAY_PER_REQUEST', KeySchema=schema, AttributeDefinitions=[
        {'AttributeName': name, 'AttributeType': 'S'} for name in ('pk', 'sk', 'other')], **{member: [index]})
    assert code == 'NotImplemented' and member in message


def test_defaults_spelled_out_are_accepted(db, unique):
    make_table(db, unique('defaults'), StreamSpecification={'StreamEnabled': False}, SSESpecification={'Enabled': False}, TableClass='STANDARD',
               DeletionProtectionEnabled=False, OnDemandThroughput={'MaxReadRequestUnits': -1, 'MaxWriteRequestUnits': -1})


def test_list_tables_pages(db, unique):
    prefix = unique('zz')
    names = [f'{prefix}-{i}' for i in range(5)]
    for name in reversed(names):
        make_table(db, name)
    first = db.list_tables(ExclusiveStartTableName=prefix, Limit=3)
    assert first['TableNames'] == names[:3] and first['LastEvaluatedTableName'] == names[2]
    rest = db.list_tables(ExclusiveStartTableName=names[2])
    assert rest['TableNames'][:2] == names[3:]
    assert set(names) <= {n for page in db.get_paginator('list_tables').paginate(PaginationConfig={'PageSize': 2}) for n in page['TableNames']}


def test_tables_of_regions_are_apart(client, db, hash_table):
    elsewhere = client('dynamodb', region='eu-west-1')
    assert hash_table not in elsewhere.list_tables()['TableNames']
    make_table(elsewhere, hash_table, hash_type='N')
    assert elsewhere.describe_table(TableName=hash_table)['Table']['TableArn'].startswith('arn:aws:dynamodb:eu-west-1:')
    elsewhere.put_item(TableName=hash_table, Item={'pk': N(1)})
    assert 'Item' not in db.get_item(TableName=hash_table, Key={'pk': S('1')})
    elsewhere.delete_table(TableName=hash_table)


def test_item_count(db, unique):
    name = unique('counted')
    make_table(db, name)
    for i in range(3):
        db.put_item(TableName=name, Item={'pk': S(str(i)), 'a': S('x' * 10)})
    table = db.describe_table(TableName=name)['Table']
    assert table['ItemCount'] == 3 and table['TableSizeBytes'] == 3 * (2 + 1 + 1 + 10)
    db.put_item(TableName=name, Item={'pk': S('more')})
    assert db.describe_table(TableName=name)['Table']['ItemCount'] == 3     # counted every six hours


def test_tags(db, unique):
    name = unique('tagged')
    arn = make_table(db, name, Tags=[{'Key': 'a', 'Value': '1'}])['TableDescription']['TableArn']
    db.tag_resource(ResourceArn=arn, Tags=[{'Key': 'b', 'Value': '2'}, {'Key': 'a', 'Value': '3'}])
    tags = {t['Key']: t['Value'] for t in db.list_tags_of_resource(ResourceArn=arn)['Tags']}
    assert tags == {'a': '3', 'b': '2'}
    db.untag_resource(ResourceArn=arn, TagKeys=['a', 'missing'])
    assert db.list_tags_of_resource(ResourceArn=arn)['Tags'] == [{'Key': 'b', 'Value': '2'}]
    other = arn + 'x'
    assert error_of(db.list_tags_of_resource, ResourceArn=other) == (
        'ResourceNotFoundException', f'Requested resource not found: ResourcArn: {other} not found')
    invalid(db.list_tags_of_resource, 'Invalid TableArn: Invalid ResourceArn provided as input abc', ResourceArn='abc')
    invalid(db.tag_resource, 'Atleast one Tag needs to be provided as Input.', ResourceArn=arn, Tags=[])
    invalid(db.untag_resource, 'Atleast one Tag Key needs to be provided as Input.', ResourceArn=arn, TagKeys=[])
    invalid(db.untag_resource, INVALID + 'Too many tag keys: the limit is 50', ResourceArn=arn, TagKeys=[str(i) for i in range(51)])


def test_what_terraform_reads(db, hash_table, unique):
    assert db.describe_time_to_live(TableName=hash_table)['TimeToLiveDescription'] == {'TimeToLiveStatus': 'DISABLED'}
    backups = db.describe_continuous_backups(TableName=hash_table)['ContinuousBackupsDescription']
    assert backups['PointInTimeRecoveryDescription']['PointInTimeRecoveryStatus'] == 'DISABLED'
    name = unique('none')
    assert error_of(db.describe_continuous_backups, TableName=name) == ('TableNotFoundException', f'Table not found: {name}')
    assert error_of(db.describe_time_to_live, TableName=name)[0] == 'ResourceNotFoundException'


def test_operations_that_do_not_exist_yet(db, hash_table):
    for call, kwargs in ((db.update_table, {'TableName': hash_table}), (db.transact_get_items, {'TransactItems': []}), (db.list_backups, {})):
        assert error_of(call, **kwargs)[0] == 'NotImplemented'


# ---- items ----

EVERYTHING = {'s': S('grün\u0000"\\\n'), 'e': S(''), 'n': N('-12.5'), 'b': {'B': b'\x00\xff'}, 't': {'BOOL': True}, 'f': {'BOOL': False},
              'z': {'NULL': True}, 'm': {'M': {'k': {'L': [N(1), {'M': {}}, {'L': []}]}}}, 'ss': {'SS': ['a', '']}, 'ns': {'NS': ['1', '2.5']},
              'bs': {'BS': [b'a', b'']}, 'unicode ключ': S('値')}


def test_put_and_get_everything(db, hash_table):
    item = {'pk': S('everything'), **EVERYTHING}
    assert 'Attributes' not in db.put_item(TableName=hash_table, Item=item)
    assert db.get_item(TableName=hash_table, Key={'pk': S('everything')})['Item'] == item
    assert 'Item' not in db.get_item(TableName=hash_table, Key={'pk': S('nothing')})
    arn = db.describe_table(TableName=hash_table)['Table']['TableArn']
    assert db.get_item(TableName=arn, Key={'pk': S('everything')})['Item'] == item


@pytest.mark.parametrize('given, shown', [
    ('1E2', '100'), ('0042.1200', '42.12'), ('-0', '0'), ('1E125', '1' + '0' * 125), ('1E-130', '0.' + '0' * 129 + '1'),
    ('12345678901234567890123456789012345678', '12345678901234567890123456789012345678'), ('+5', '5'), ('.5', '0.5'),
])
def test_numbers_are_shown_plain(db, hash_table, given, shown):
    db.put_item(TableName=hash_table, Item={'pk': S('number'), 'n': {'N': given}})
    assert db.get_item(TableName=hash_table, Key={'pk': S('number')})['Item']['n'] == {'N': shown}


def test_resource_api(server, unique):
    resource = server.resource('dynamodb')
    name = unique('resource')
    table = resource.create_table(TableName=name, KeySchema=[{'AttributeName': 'id', 'KeyType': 'HASH'}],
                                  AttributeDefinitions=[{'AttributeName': 'id', 'AttributeType': 'S'}], BillingMode='PAY_PER_REQUEST')
    table.wait_until_exists()
    item = {'id': '1', 'price': decimal.Decimal('9.99'), 'tags': {'a', 'b'}, 'nested': {'list': [1, 'two', None, True]}}
    table.put_item(Item=item)
    assert table.get_item(Key={'id': '1'})['Item'] == item
    with table.batch_writer() as batch:
        for i in range(60):
            batch.put_item(Item={'id': f'b{i}', 'n': i})
    assert table.scan(FilterExpression=conditions.Attr('n').between(10, 19))['Count'] == 10
    assert TypeDeserializer().deserialize(TypeSerializer().serialize(item)) == item


@pytest.mark.parametrize('key_type, small, value', [('S', S('a'), S('x' * 2048)), ('N', N(1), N('1E100')), ('B', {'B': b'a'}, {'B': b'x' * 2048})])
def test_key_types(db, unique, key_type, small, value):
    name = unique('key')
    make_table(db, name, hash_type=key_type)
    for key in (small, value):
        db.put_item(TableName=name, Item={'pk': key, 'v': S('1')})
        assert db.get_item(TableName=name, Key={'pk': key})['Item']['v'] == S('1')
    assert len(db.scan(TableName=name)['Items']) == 2


@pytest.mark.parametrize('item, message', [
    ({'x': S('a')}, INVALID + 'Missing the key pk in the item'),
    ({'pk': N(1)}, INVALID + 'Type mismatch for key pk expected: S actual: N'),
    ({'pk': {'SS': ['a']}}, INVALID + 'Type mismatch for key pk expected: S actual: SS'),
    ({'pk': S('')}, NOT_VALID + 'The AttributeValue for a key attribute cannot contain an empty string value. Key: pk'),
    ({'pk': S('x' * 2049)}, INVALID + 'Size of hashkey has exceeded the maximum size limit of2048 bytes'),
    ({'pk': S('a'), 'x': {}}, 'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes'),
    ({'pk': S('a'), 'x': {'S': 'a', 'N': '1'}},
     'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes'),
    ({'pk': S('a'), 'x': {'SS': []}}, INVALID + 'An string set  may not be empty'),
    ({'pk': S('a'), 'x': {'SS': ['b', 'b']}}, INVALID + 'Input collection [b, b] contains duplicates.'),
    ({'pk': S('a'), 'x': {'N': 'b'}}, 'The parameter cannot be converted to a numeric value: b'),
    ({'pk': S('a'), 'x': {'N': '1E126'}}, 'Number overflow. Attempting to store a number with magnitude larger than supported range'),
    ({'pk': S('a'), 'x': {'NULL': False}}, INVALID + 'Null attribute value types must have the value of true'),
    ({'pk': S('a'), 'x': S('x' * 409600)}, 'Item size has exceeded the maximum allowed size'),
])
def test_put_item_refuses(db, hash_table, item, message):
    invalid(db.put_item, message, TableName=hash_table, Item=item)


def test_largest_item(db, hash_table):
    item = {'pk': S('a'), 'x': S('x' * (409600 - 4))}
    db.put_item(TableName=hash_table, Item=item)
    assert db.get_item(TableName=hash_table, Key={'pk': S('a')})['Item'] == item
    item['x'] = S('x' * (409600 - 3))
    invalid(db.put_item, 'Item size has exceeded the maximum allowed size', TableName=hash_table, Item=item)
    invalid(db.update_item, 'Item size to update has exceeded the maximum allowed size', TableName=hash_table, Key={'pk': S('a')},
            UpdateExpression='SET y = :y', ExpressionAttributeValues={':y': S('y')})
    db.delete_item(TableName=hash_table, Key={'pk': S('a')})


def test_deepest_item(db, hash_table):
    value = S('x')
    for _ in range(32):
        value = {'L': [value]}
    db.put_item(TableName=hash_table, Item={'pk': S('deep'), 'v': value})
    assert db.get_item(TableName=hash_table, Key={'pk': S('deep')})['Item']['v'] == value
    code, message = error_of(db.put_item, TableName=hash_table, Item={'pk': S('deep'), 'v': {'L': [value]}})
    assert code == 'ValidationException' and message.startswith('Nesting Levels have exceeded supported limits')


@pytest.mark.parametrize('key, message', [
    ({}, 'The provided key element does not match the schema'), ({'pk': S('a')}, 'The provided key element does not match the schema'),
    ({'pk': S('a'), 'sk': S('a')}, 'The provided key element does not match the schema'),
    ({'pk': S('a'), 'sk': N(1), 'x': N(1)}, 'The provided key element does not match the schema'),
    ({'pk': S(''), 'sk': N(1)}, NOT_VALID + 'The AttributeValue for a key attribute cannot contain an empty string value. Key: pk'),
])
def test_keys_are_checked(db, range_table, key, message):
    for call in (db.get_item, db.delete_item, db.update_item):
        invalid(call, message, TableName=range_table, Key=key)


def test_get_item_projects(db, hash_table):
    db.put_item(TableName=hash_table, Item={'pk': S('p'), 'a': S('1'), 'm': {'M': {'k': S('2'), 'l': {'L': [N(0), N(1), N(2)]}}}})
    got = db.get_item(TableName=hash_table, Key={'pk': S('p')}, ProjectionExpression='#a, m.l[2], m.l[0], absent',
                      ExpressionAttributeNames={'#a': 'a'})
    assert got['Item'] == {'a': S('1'), 'm': {'M': {'l': {'L': [N(0), N(2)]}}}}
    for expression, message in (
            ('!!! INVALID !!!', 'Invalid ProjectionExpression: Syntax error; token: "!", near: "!!"'),
            ('name', 'Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: name'),
            ('a, a.b', 'Invalid ProjectionExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; '
                       'path one: [a], path two: [a, b]'),
            ('pk.a', "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk")):
        invalid(db.get_item, message, TableName=hash_table, Key={'pk': S('p')}, ProjectionExpression=expression)


def test_delete_item(db, hash_table):
    key = {'pk': S('gone')}
    db.put_item(TableName=hash_table, Item={**key, 'v': N(1)})
    assert db.delete_item(TableName=hash_table, Key=key, ReturnValues='ALL_OLD')['Attributes'] == {**key, 'v': N(1)}
    assert 'Attributes' not in db.delete_item(TableName=hash_table, Key=key, ReturnValues='ALL_OLD')
    assert 'Item' not in db.get_item(TableName=hash_table, Key=key)
    invalid(db.delete_item, 'ReturnValues can only be ALL_OLD or NONE', TableName=hash_table, Key=key, ReturnValues='ALL_NEW')


def test_put_item_returns_the_old_item(db, hash_table):
    first, second = {'pk': S('twice'), 'v': N(1)}, {'pk': S('twice'), 'v': N(2)}
    assert 'Attributes' not in db.put_item(TableName=hash_table, Item=first, ReturnValues='ALL_OLD')
    assert db.put_item(TableName=hash_table, Item=second, ReturnValues='ALL_OLD')['Attributes'] == first
    invalid(db.put_item, 'ReturnValues can only be ALL_OLD or NONE', TableName=hash_table, Item=first, ReturnValues='UPDATED_NEW')


def test_conditions(db, hash_table):
    key = {'pk': S('conditional')}
    failed = ('ConditionalCheckFailedException', 'The conditional request failed')
    once = {'TableName': hash_table, 'Item': {**key, 'v': N(1)}, 'ConditionExpression': 'attribute_not_exists(pk)'}
    db.put_item(**once)
    assert error_of(db.put_item, **once) == failed
    with pytest.raises(ClientError) as raised:
        db.put_item(**once, ReturnValuesOnConditionCheckFailure='ALL_OLD')
    assert raised.value.response['Item'] == {**key, 'v': N(1)}
    values = {':one': N(1), ':two': N(2)}
    update = {'TableName': hash_table, 'Key': key, 'UpdateExpression': 'SET v = :two', 'ConditionExpression': 'v = :one',
              'ExpressionAttributeValues': values}
    db.update_item(**update)
    assert error_of(db.update_item, **update) == failed
    delete = {'TableName': hash_table, 'Key': key, 'ConditionExpression': 'v = :v'}
    assert error_of(db.delete_item, **delete, ExpressionAttributeValues={':v': N(1)}) == failed
    db.delete_item(**delete, ExpressionAttributeValues={':v': N(2)})
    assert error_of(db.delete_item, **delete, ExpressionAttributeValues={':v': N(2)}) == failed


@pytest.mark.parametrize('kwargs, message', [
    ({'ConditionExpression': 'a > 4'}, 'Invalid ConditionExpression: Syntax error; token: "4", near: "> 4"'),
    ({'ConditionExpression': ''}, 'Invalid ConditionExpression: The expression can not be empty;'),
    ({'ConditionExpression': 'name = :v', 'ExpressionAttributeValues': {':v': S('')}},
     'Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: name'),
    ({'ConditionExpression': 'a = :v'},
     'Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :v'),
    ({'ConditionExpression': 'a = :v', 'ExpressionAttributeValues': {':v': S('x'), ':w': S('y')}},
     'Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}'),
    ({'ConditionExpression': 'a = b', 'ExpressionAttributeNames': {'#a': 'x'}},
     'Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}'),
    ({'ExpressionAttributeNames': {'#a': 'x'}}, 'ExpressionAttributeNames can only be specified when using expressions'),
    ({'ExpressionAttributeValues': {':a': S('x')}},
     'ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null'),
    ({'Expected': {'a': {'Exists': False}}, 'ConditionExpression': 'a = b'},
     'Can not use both expression and non-expression parameters in the same request: '
     'Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}'),
])
def test_condition_errors(db, hash_table, kwargs, message):
    invalid(db.put_item, message, TableName=hash_table, Item={'pk': S('a')}, **kwargs)


def test_legacy_parameters_are_refused_by_name(db, hash_table):
    key = {'TableName': hash_table, 'Key': {'pk': S('a')}}
    eq = {'a': {'ComparisonOperator': 'EQ', 'AttributeValueList': [S('a')]}}
    for call, kwargs, member in (
            (db.get_item, {**key, 'AttributesToGet': ['a']}, 'AttributesToGet'), (db.delete_item, {**key, 'Expected': {'a': {'Exists': False}}}, 'Expected'),
            (db.query, {'TableName': hash_table, 'KeyConditions': eq}, 'KeyConditions'), (db.scan, {'TableName': hash_table, 'ScanFilter': eq}, 'ScanFilter')):
        code, message = error_of(call, **kwargs)
        assert code == 'NotImplemented' and member in message


# ---- updates ----

def test_update_item_returns(db, hash_table):
    key = {'pk': S('returns')}
    update = {'TableName': hash_table, 'Key': key, 'UpdateExpression': 'SET a = :v, m.x = :v REMOVE gone', 'ExpressionAttributeValues': {':v': N(2)}}
    before = {**key, 'a': N(1), 'gone': S('x'), 'm': {'M': {'x': N(1), 'y': N(1)}}}
    after = {**key, 'a': N(2), 'm': {'M': {'x': N(2), 'y': N(1)}}}
    for returns, expected in (('NONE', None), ('ALL_OLD', before), ('ALL_NEW', after),
                              ('UPDATED_OLD', {'a': N(1), 'gone': S('x'), 'm': {'M': {'x': N(1)}}}), ('UPDATED_NEW', {'a': N(2), 'm': {'M': {'x': N(2)}}})):
        db.put_item(TableName=hash_table, Item=before)
        assert db.update_item(**update, ReturnValues=returns).get('Attributes') == expected
        assert db.get_item(TableName=hash_table, Key=key)['Item'] == after


def test_update_item_makes_items(db, hash_table):
    def get(name):
        return db.get_item(TableName=hash_table, Key={'pk': S(name)}).get('Item')
    db.update_item(TableName=hash_table, Key={'pk': S('made')})
    assert get('made') == {'pk': S('made')}
    db.update_item(TableName=hash_table, Key={'pk': S('made2')}, UpdateExpression='ADD n :v', ExpressionAttributeValues={':v': N(5)})
    assert get('made2') == {'pk': S('made2'), 'n': N(5)}
    db.update_item(TableName=hash_table, Key={'pk': S('made3')}, UpdateExpression='REMOVE n')
    assert get('made3') is None
    got = db.update_item(TableName=hash_table, Key={'pk': S('made4')}, UpdateExpression='SET n = if_not_exists(n, :z) + :o', ReturnValues='ALL_NEW',
                         ExpressionAttributeValues={':z': N(0), ':o': N(1)})
    assert got['Attributes'] == {'pk': S('made4'), 'n': N(1)}


def test_attribute_updates(db, hash_table):
    key = {'pk': S('legacy')}
    db.put_item(TableName=hash_table, Item={**key, 'n': N(1), 'tags': {'SS': ['a', 'b']}, 'extra': S('x')})
    got = db.update_item(TableName=hash_table, Key=key, ReturnValues='ALL_NEW', AttributeUpdates={
        'new': {'Value': S('put')}, 'n': {'Action': 'ADD', 'Value': N(4)}, 'tags': {'Action': 'DELETE', 'Value': {'SS': ['a']}},
        'extra': {'Action': 'DELETE'}})
    assert got['Attributes'] == {**key, 'n': N(5), 'tags': {'SS': ['b']}, 'new': S('put')}
    invalid(db.update_item, INVALID + 'Cannot update attribute pk. This attribute is part of the key', TableName=hash_table, Key=key,
            AttributeUpdates={'pk': {'Value': S('x')}})
    invalid(db.update_item, 'Type mismatch for attribute to update', TableName=hash_table, Key=key,
            AttributeUpdates={'n': {'Action': 'ADD', 'Value': {'SS': ['x']}}})


@pytest.mark.parametrize('expression, values, message', [
    ('SET pk = :v', {':v': S('x')}, INVALID + 'Cannot update attribute pk. This attribute is part of the key'),
    ('INVALID SYNTAX HERE', None, 'Invalid UpdateExpression: Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),
    ('SET a = absent', None, 'The provided expression refers to an attribute that does not exist in the item'),
    ('SET a.b = :v', {':v': S('x')}, 'The document path provided in the update expression is invalid for update'),
    ('ADD s :v', {':v': N(1)}, 'An operand in the update expression has an incorrect data type'),
    ('SET a = :v, a.b = :v', {':v': S('x')}, 'Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of '
                                             'these paths; path one: [a], path two: [a, b]'),
    ('SET a = a + :v', {':v': S('x')}, 'Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, '
                                       'operand type: S'),
])
def test_update_errors(db, hash_table, expression, values, message):
    db.put_item(TableName=hash_table, Item={'pk': S('errors'), 's': S('text')})
    kwargs = {'ExpressionAttributeValues': values} if values else {}
    invalid(db.update_item, message, TableName=hash_table, Key={'pk': S('errors')}, UpdateExpression=expression, **kwargs)
    assert db.get_item(TableName=hash_table, Key={'pk': S('errors')})['Item'] == {'pk': S('errors'), 's': S('text')}


def seconds(call, **kwargs):
    begin = time.monotonic()
    try:
        call(**kwargs)
    except ClientError as e:
        assert e.response['Error']['Code'] == 'ConditionalCheckFailedException'
    return time.monotonic() - begin


def test_long_expressions_on_large_items(db, hash_table):
    """Writes are made one after the other: one with a thousand paths on an item of a hundred thousand parts must not keep the
    others waiting. Compared with a short expression on the same item, which has to read and write as much."""
    names = [a + b for a in 'hjklmqrsuvwxyzJKLM' for b in 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789']
    wide = {'pk': S('wide'), **{f'{i:x}': {'NULL': True} for i in range(75_000)}, **{n: N(1) for n in names}}
    long = {'pk': S('long'), 'a': {'L': [{'NULL': True}] * 180_000}}
    map_ = {f'{i:x}': {'NULL': True} for i in range(30_000)}
    maps = {'pk': S('maps'), 'a': {'M': map_}, 'b': {'M': dict(reversed(map_.items()))}}
    for item, expression in (
            (wide, {'UpdateExpression': 'REMOVE ' + ','.join(names)}),
            (wide, {'UpdateExpression': 'REMOVE nothing', 'ConditionExpression': ' AND '.join(f'attribute_exists({n})' for n in names[:140])}),
            (long, {'UpdateExpression': 'REMOVE ' + ','.join(f'a[{179_000 + i}]' for i in range(400))}),
            (maps, {'UpdateExpression': 'REMOVE nothing', 'ConditionExpression': ' AND '.join(['a = b'] * 140 + ['a <> b'])})):
        at = {'TableName': hash_table, 'Key': {'pk': item['pk']}}
        db.put_item(TableName=hash_table, Item=item)
        short = min(seconds(db.update_item, **at, UpdateExpression='REMOVE nothing') for _ in range(3))
        assert seconds(db.update_item, **at, **expression) < 5 * short + 0.1
    db.put_item(TableName=hash_table, Item=wide)
    at = {'TableName': hash_table, 'Key': {'pk': wide['pk']}}
    got = db.get_item(**at, ProjectionExpression=','.join(names))['Item']
    assert got == {n: N(1) for n in names}
    db.update_item(**at, UpdateExpression='REMOVE ' + ','.join(names))
    left = db.get_item(**at)['Item']
    assert len(left) == 75_001 and not set(names) & set(left)
    for pk in ('wide', 'long', 'maps'):
        db.delete_item(TableName=hash_table, Key={'pk': S(pk)})


def test_counters_lose_nothing(server, hash_table):
    import threading
    db, key = server.client('dynamodb', max_pool_connections=16), {'pk': S('counter')}

    def count():
        for _ in range(50):
            db.update_item(TableName=hash_table, Key=key, UpdateExpression='ADD n :one', ExpressionAttributeValues={':one': N(1)})
    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.get_item(TableName=hash_table, Key=key, ConsistentRead=True)['Item']['n'] == N(400)


# ---- queries ----

@pytest.fixture(scope='module')
def filled(db):
    name = 'filled-' + uuid.uuid4().hex[:8]
    make_table(db, name, range_type='N')
    for start in range(0, 100, 25):
        db.batch_write_item(RequestItems={name: [{'PutRequest': {'Item': {'pk': S('p'), 'sk': N(i - 50), 'even': {'BOOL': i % 2 == 0}, 'v': S(str(i))}}}
                                                 for i in range(start, start + 25)]})
    db.put_item(TableName=name, Item={'pk': S('q'), 'sk': N(0)})
    return name


def keys(answer):
    return [int(item['sk']['N']) for item in answer['Items']]


@pytest.mark.parametrize('condition, values, expected', [
    ('pk = :p', {}, list(range(-50, 50))), ('pk = :p AND sk = :v', {':v': N(7)}, [7]), ('pk = :p AND sk < :v', {':v': N(-47)}, [-50, -49, -48]),
    ('pk = :p AND sk <= :v', {':v': N('-48.0')}, [-50, -49, -48]), ('pk = :p AND sk > :v', {':v': N(46)}, [47, 48, 49]),
    ('pk = :p AND sk >= :v', {':v': N('46.5')}, [47, 48, 49]), ('pk = :p AND sk BETWEEN :v AND :w', {':v': N(-1), ':w': N(1)}, [-1, 0, 1]),
    ('pk = :p AND :v <= sk', {':v': N(48)}, [48, 49]), ('sk = :v AND pk = :p', {':v': N(100)}, []),
])
def test_key_conditions(db, filled, condition, values, expected):
    query = {'TableName': filled, 'KeyConditionExpression': condition, 'ExpressionAttributeValues': {':p': S('p'), **values}}
    assert keys(db.query(**query)) == expected
    assert keys(db.query(**query, ScanIndexForward=False)) == expected[::-1]


@pytest.mark.parametrize('range_type', ['S', 'B'])
def test_ranges_of_bytes(db, unique, range_type):
    name, texts = unique('bytes'), ['a', 'ab', 'abc', 'b', 'ab\u00ff', 'ac', '\u00ff']
    make_table(db, name, range_type=range_type)

    def value(text):
        return S(text) if range_type == 'S' else {'B': text.encode()}

    def query(condition, **values):
        answer = db.query(TableName=name, KeyConditionExpression='pk = :p AND ' + condition,
                          ExpressionAttributeValues={':p': S('p'), **{':' + k: value(v) for k, v in values.items()}})
        return [(i['sk']['S'].encode() if range_type == 'S' else i['sk']['B']).decode() for i in answer['Items']]
    for text in texts:
        db.put_item(TableName=name, Item={'pk': S('p'), 'sk': value(text)})
    ordered = sorted(texts, key=lambda t: t.encode())
    assert query('begins_with(sk, :a)', a='ab') == [t for t in ordered if t.startswith('ab')]
    assert query('begins_with(sk, :a)', a='\u00ff') == ['\u00ff']
    assert query('sk > :a', a='ab') == [t for t in ordered if t.encode() > b'ab']
    assert query('sk <= :a', a='abc') == [t for t in ordered if t.encode() <= b'abc']
    assert query('sk = :a', a='ab') == ['ab']
    assert query('sk BETWEEN :a AND :b', a='ab', b='b') == [t for t in ordered if b'ab' <= t.encode() <= b'b']


def test_query_pages(db, filled):
    query = {'TableName': filled, 'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('p')}}
    for forward in (True, False):
        seen, start = [], {}
        while True:
            page = db.query(**query, Limit=7, ScanIndexForward=forward, **start)
            assert page['Count'] == page['ScannedCount'] <= 7
            seen += keys(page)
            if 'LastEvaluatedKey' not in page:
                break
            assert page['LastEvaluatedKey'] == {'pk': S('p'), 'sk': page['Items'][-1]['sk']}
            start = {'ExclusiveStartKey': page['LastEvaluatedKey']}
        assert seen == (list(range(-50, 50)) if forward else list(range(49, -51, -1)))
    exact = db.query(**query, Limit=100)
    assert exact['Count'] == 100 and 'LastEvaluatedKey' in exact
    assert db.query(**query, ExclusiveStartKey=exact['LastEvaluatedKey'])['Count'] == 0
    assert 'LastEvaluatedKey' not in db.query(**query, Limit=101)


def test_query_filters_after_limit(db, filled):
    query = {'TableName': filled, 'KeyConditionExpression': 'pk = :p', 'FilterExpression': 'even = :t AND begins_with(v, :nine)',
             'ExpressionAttributeValues': {':p': S('p'), ':t': {'BOOL': True}, ':nine': S('9')}}
    answer = db.query(**query)
    assert keys(answer) == [40, 42, 44, 46, 48] and answer['Count'] == 5 and answer['ScannedCount'] == 100
    answer = db.query(**query, Limit=10)
    assert (answer['Count'], answer['ScannedCount'], answer['Items']) == (0, 10, []) and answer['LastEvaluatedKey']['sk'] == N(-41)


def test_query_selects(db, filled):
    query = {'TableName': filled, 'KeyConditionExpression': 'pk = :p AND sk < :v', 'ExpressionAttributeValues': {':p': S('p'), ':v': N(-48)}}
    counted = db.query(**query, Select='COUNT')
    assert counted['Count'] == 2 and 'Items' not in counted
    assert db.query(**query, ProjectionExpression='v')['Items'] == [{'v': S('0')}, {'v': S('1')}]
    assert db.query(**query, ProjectionExpression='v', Select='SPECIFIC_ATTRIBUTES')['Items'] == [{'v': S('0')}, {'v': S('1')}]
    invalid(db.query, '1 validation error detected: Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES',
            **query, Select='SPECIFIC_ATTRIBUTES')
    invalid(db.query, 'ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName', **query, Select='ALL_PROJECTED_ATTRIBUTES')
    invalid(db.query, 'The table does not have the specified index: none', **query, IndexName='none')


@pytest.mark.parametrize('kwargs, message', [
    ({}, 'Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.'),
    ({'KeyConditionExpression': 'sk = :v', 'ExpressionAttributeValues': {':v': N(1)}}, 'Query condition missed key schema element: pk'),
    ({'KeyConditionExpression': 'pk > :p', 'ExpressionAttributeValues': {':p': S('p')}}, 'Query key condition not supported'),
    ({'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': N(1)}},
     INVALID + 'Condition parameter type does not match schema type'),
    ({'KeyConditionExpression': 'pk = :p', 'FilterExpression': 'sk > :v', 'ExpressionAttributeValues': {':p': S('p'), ':v': N(1)}},
     'Filter Expression can only contain non-primary key attributes: Primary key attribute: sk'),
    ({'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('p')}, 'ExclusiveStartKey': {'bad': S('p')}},
     'The provided starting key is invalid'),
    ({'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('p')}, 'ExclusiveStartKey': {'pk': S('other'), 'sk': N(1)}},
     'The provided starting key is outside query boundaries based on provided conditions'),
    ({'KeyConditionExpression': 'pk = :p AND sk > :v', 'ExpressionAttributeValues': {':p': S('p'), ':v': N(5)},
      'ExclusiveStartKey': {'pk': S('p'), 'sk': N(5)}}, 'The provided starting key does not match the range key predicate'),
    ({'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('p')}, 'ExclusiveStartKey': {'pk': {}}},
     'The provided starting key is invalid: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes'),
    ({'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('')}},
     NOT_VALID + 'The AttributeValue for a key attribute cannot contain an empty string value. Key: pk'),
    ({'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('p' * 5000)}},
     INVALID + 'Size of hashkey has exceeded the maximum size limit of2048 bytes'),
])
def test_query_refuses(db, filled, kwargs, message):
    invalid(db.query, message, TableName=filled, **kwargs)


def test_query_refuses_a_long_sort_key(db, scattered):
    invalid(db.query, INVALID + 'Aggregated size of all range keys has exceeded the size limit of 1024 bytes', TableName=scattered,
            KeyConditionExpression='pk = :p AND sk < :s', ExpressionAttributeValues={':p': S('p'), ':s': S('s' * 5000)})


def test_pages_end_before_their_text_is_too_long(db, unique):
    """Numbers like 1E125 take two bytes of an item and 130 of an answer: such pages end early instead of failing."""
    name = unique('digits')
    make_table(db, name, range_type='N')
    keys = [{'pk': S('p'), 'sk': N(i)} for i in range(4)]
    for key in keys:
        db.put_item(TableName=name, Item={**key, 'x': {'L': [N('1E125')] * 130_000}})
    query = {'TableName': name, 'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('p')}}
    assert sum(p['Count'] for p in db.get_paginator('query').paginate(**query)) == 4
    got = db.batch_get_item(RequestItems={name: {'Keys': keys}})
    assert len(got['Responses'][name]) + len(got['UnprocessedKeys'][name]['Keys']) == 4
    db.delete_table(TableName=name)


def test_megabyte_pages(db, unique):
    name = unique('large')
    make_table(db, name, range_type='N')
    for i in range(30):
        db.put_item(TableName=name, Item={'pk': S('p'), 'sk': N(i), 'x': S('x' * 100000)})
    query = {'TableName': name, 'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('p')}}
    first = db.query(**query)
    assert first['Count'] == 11 and first['LastEvaluatedKey'] == {'pk': S('p'), 'sk': N(10)}
    pages = list(db.get_paginator('query').paginate(**query))
    assert [p['Count'] for p in pages] == [11, 11, 8]
    assert db.query(**query, Select='COUNT')['Count'] == 11
    scanned = list(db.get_paginator('scan').paginate(TableName=name))
    assert [p['Count'] for p in scanned] == [11, 11, 8]


# ---- scans ----

@pytest.fixture(scope='module')
def scattered(db):
    name = 'scattered-' + uuid.uuid4().hex[:8]
    make_table(db, name, range_type='S')
    for start in range(0, 200, 25):
        db.batch_write_item(RequestItems={name: [{'PutRequest': {'Item': {'pk': S(f'p{i // 4}'), 'sk': S(str(i % 4)), 'n': N(i)}}}
                                                 for i in range(start, start + 25)]})
    return name


def test_scan(db, scattered):
    everything = db.scan(TableName=scattered)
    assert sorted(int(i['n']['N']) for i in everything['Items']) == list(range(200))
    assert everything['Count'] == everything['ScannedCount'] == 200 and 'LastEvaluatedKey' not in everything
    pages = list(db.get_paginator('scan').paginate(TableName=scattered, PaginationConfig={'PageSize': 9}))
    assert [i['n'] for p in pages for i in p['Items']] == [i['n'] for i in everything['Items']]
    some = db.scan(TableName=scattered, FilterExpression='n BETWEEN :a AND :b AND pk = :p', ProjectionExpression='n',
                   ExpressionAttributeValues={':a': N(5), ':b': N(6), ':p': S('p1')})
    assert sorted(i['n']['N'] for i in some['Items']) == ['5', '6'] and some['ScannedCount'] == 200
    assert db.scan(TableName=scattered, Select='COUNT')['Count'] == 200


@pytest.mark.parametrize('total', [1, 2, 3, 7])
def test_scan_segments(db, scattered, total):
    segments = [[i['n']['N'] for page in db.get_paginator('scan').paginate(TableName=scattered, Segment=s, TotalSegments=total, Limit=13)
                 for i in page['Items']] for s in range(total)]
    assert sorted(int(n) for s in segments for n in s) == list(range(200))
    if total == 2:
        assert all(segments)
        last = db.scan(TableName=scattered, Segment=0, TotalSegments=2, Limit=1)['LastEvaluatedKey']
        code, message = error_of(db.scan, TableName=scattered, Segment=1, TotalSegments=2, ExclusiveStartKey=last)
        assert message == ('The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. '
                           'TotalSegments: 2 Segment: 1')


@pytest.mark.parametrize('kwargs, message', [
    ({'Segment': 0}, 'The TotalSegments parameter is required but was not present in the request when Segment parameter is present'),
    ({'TotalSegments': 4}, 'The Segment parameter is required but was not present in the request when parameter TotalSegments is present'),
    ({'Segment': 5, 'TotalSegments': 5},
     'The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 5 is not less than TotalSegments: 5'),
    ({'FilterExpression': 'a = '}, 'Invalid FilterExpression: Syntax error; token: "<EOF>", near: "="'),
    ({'ExclusiveStartKey': {'pk': S('p')}}, 'The provided starting key is invalid: The provided key element does not match the schema'),
    ({'Select': 'SPECIFIC_ATTRIBUTES'}, 'Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES'),
])
def test_scan_refuses(db, scattered, kwargs, message):
    invalid(db.scan, message, TableName=scattered, **kwargs)


# ---- batches ----

def test_batch_get(db, range_table, hash_table):
    items = [{'pk': S('b'), 'sk': N(i), 'v': S(str(i))} for i in range(40)]
    for start in (0, 20):
        db.batch_write_item(RequestItems={range_table: [{'PutRequest': {'Item': i}} for i in items[start:start + 20]]})
    db.put_item(TableName=hash_table, Item={'pk': S('batch'), 'x': N(1), 'y': N(2)})
    got = db.batch_get_item(RequestItems={
        range_table: {'Keys': [{'pk': S('b'), 'sk': N(i)} for i in range(35, 45)]},
        hash_table: {'Keys': [{'pk': S('batch')}, {'pk': S('absent')}], 'ProjectionExpression': '#x', 'ExpressionAttributeNames': {'#x': 'x'}}})
    assert got['UnprocessedKeys'] == {}
    assert sorted(int(i['sk']['N']) for i in got['Responses'][range_table]) == list(range(35, 40))
    assert got['Responses'][hash_table] == [{'x': N(1)}]
    all_of_them = db.batch_get_item(RequestItems={range_table: {'Keys': [{'pk': S('b'), 'sk': N(i)} for i in range(100)]}})
    assert len(all_of_them['Responses'][range_table]) == 40


def test_batch_get_leaves_what_is_beyond_16_mb(db, unique):
    name = unique('heavy')
    make_table(db, name)
    for i in range(45):
        db.put_item(TableName=name, Item={'pk': S(str(i)), 'x': S('x' * 390000)})
    wanted = {name: {'Keys': [{'pk': S(str(i))} for i in range(45)], 'ConsistentRead': True}}
    seen, rounds = [], 0
    while wanted:
        got = db.batch_get_item(RequestItems=wanted)
        seen += [i['pk']['S'] for i in got['Responses'].get(name, [])]
        wanted, rounds = got['UnprocessedKeys'], rounds + 1
        assert not wanted or wanted[name]['ConsistentRead'] is True
    assert rounds == 2 and sorted(map(int, seen)) == list(range(45))
    db.delete_table(TableName=name)


def test_batch_get_refuses(db, hash_table, unique):
    key = {'pk': S('a')}
    invalid(db.batch_get_item, 'Provided list of item keys contains duplicates', RequestItems={hash_table: {'Keys': [key, key]}})
    invalid(db.batch_get_item, 'The provided key element does not match the schema', RequestItems={hash_table: {'Keys': [{'x': S('a')}]}})
    assert error_of(db.batch_get_item, RequestItems={unique('none'): {'Keys': [key]}}) == (
        'ResourceNotFoundException', 'Requested resource not found')
    assert error_of(db.batch_get_item, RequestItems={hash_table: {'Keys': [{'pk': S(str(i))} for i in range(101)]}})[0] == 'ValidationException'
    invalid(db.batch_get_item, 'Can not use both expression and non-expression parameters in the same request: '
            'Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}',
            RequestItems={hash_table: {'Keys': [key], 'AttributesToGet': ['a'], 'ProjectionExpression': 'a'}})
    invalid(db.batch_get_item, 'Too many items requested for the BatchGetItem call', RequestItems={
        hash_table: {'Keys': [{'pk': S(str(i))} for i in range(60)]},
        db.describe_table(TableName=hash_table)['Table']['TableArn']: {'Keys': [{'pk': S(str(i))} for i in range(60)]}})


def test_batch_write(db, hash_table):
    db.put_item(TableName=hash_table, Item={'pk': S('w0')})
    answer = db.batch_write_item(RequestItems={hash_table: [{'DeleteRequest': {'Key': {'pk': S('w0')}}}, {'PutRequest': {'Item': {'pk': S('w1')}}}]})
    assert answer['UnprocessedItems'] == {}
    assert 'Item' not in db.get_item(TableName=hash_table, Key={'pk': S('w0')})
    assert db.get_item(TableName=hash_table, Key={'pk': S('w1')})['Item'] == {'pk': S('w1')}


def test_batch_write_refuses(db, hash_table, unique):
    put = {'PutRequest': {'Item': {'pk': S('a')}}}
    duplicate = 'Provided list of item keys contains duplicates'
    invalid(db.batch_write_item, duplicate, RequestItems={hash_table: [put, {'DeleteRequest': {'Key': {'pk': S('a')}}}]})
    for item in ({'pk': N(1)}, {'x': S('a')}, {'pk': {'L': []}}):
        invalid(db.batch_write_item, 'The provided key element does not match the schema',
                RequestItems={hash_table: [{'PutRequest': {'Item': {'pk': S('never')}}}, {'PutRequest': {'Item': item}}]})
    invalid(db.batch_write_item, NOT_VALID + 'The AttributeValue for a key attribute cannot contain an empty string value. Key: pk',
            RequestItems={hash_table: [{'PutRequest': {'Item': {'pk': S('')}}}]})
    assert 'Item' not in db.get_item(TableName=hash_table, Key={'pk': S('never')})
    assert error_of(db.batch_write_item, RequestItems={unique('none'): [put]}) == ('ResourceNotFoundException', 'Requested resource not found')
    invalid(db.batch_write_item, 'Item size has exceeded the maximum allowed size',
            RequestItems={hash_table: [{'PutRequest': {'Item': {'pk': S('a'), 'x': S('x' * 409600)}}}]})
    assert error_of(db.batch_write_item, RequestItems={hash_table: [{'PutRequest': {'Item': {'pk': S(str(i))}}} for i in range(26)]})[0] == 'ValidationException'


# ---- capacity, permissions, wire ----

def test_consumed_capacity(db, unique):
    name = unique('capacity')
    make_table(db, name)
    item = {'pk': S('a'), 'x': S('x' * 3000)}

    def units(answer):
        assert answer['ConsumedCapacity']['TableName'] == name
        return answer['ConsumedCapacity']['CapacityUnits']
    total = {'TableName': name, 'ReturnConsumedCapacity': 'TOTAL'}
    assert units(db.put_item(**total, Item=item)) == 3
    assert units(db.put_item(**total, Item={'pk': S('a')})) == 3                      # the larger of old and new
    assert units(db.put_item(**total, Item={'pk': S('b'), 'x': S('x' * 5000)})) == 5
    assert units(db.get_item(**total, Key={'pk': S('b')})) == 1
    assert units(db.get_item(**total, Key={'pk': S('b')}, ConsistentRead=True)) == 2
    assert units(db.get_item(**total, Key={'pk': S('none')})) == 0.5
    assert units(db.update_item(**total, Key={'pk': S('a')})) == 1
    assert units(db.delete_item(**total, Key={'pk': S('b')})) == 5
    assert units(db.scan(**total)) == 0.5
    indexes = db.get_item(TableName=name, Key={'pk': S('a')}, ReturnConsumedCapacity='INDEXES')['ConsumedCapacity']
    assert indexes == {'TableName': name, 'CapacityUnits': 0.5, 'Table': {'CapacityUnits': 0.5}}
    batch = db.batch_write_item(RequestItems={name: [{'PutRequest': {'Item': item}}]}, ReturnConsumedCapacity='TOTAL')['ConsumedCapacity']
    assert batch == [{'TableName': name, 'CapacityUnits': 3.0}]


def test_leading_keys_restrict(server, client, db, hash_table, unique):
    """IAM's fine-grained access control: only items whose partition key begins the user's name, only some attributes."""
    import json
    iam, user = client('iam'), unique('user')
    arn = db.describe_table(TableName=hash_table)['Table']['TableArn']
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)['AccessKey']
    iam.put_user_policy(UserName=user, PolicyName='own', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Action': ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query'], 'Resource': arn,
         'Condition': {'ForAllValues:StringEquals': {'dynamodb:LeadingKeys': [user], 'dynamodb:Attributes': ['pk', 'v']}}}]}))
    own = server.client('dynamodb', access_key=key['AccessKeyId'], secret_key=key['SecretAccessKey'])
    own.put_item(TableName=hash_table, Item={'pk': S(user), 'v': N(1)})
    assert own.get_item(TableName=hash_table, Key={'pk': S(user)})['Item']['v'] == N(1)
    own.query(TableName=hash_table, KeyConditionExpression='pk = :p', ExpressionAttributeValues={':p': S(user)})
    for call, kwargs in ((own.get_item, {'Key': {'pk': S('other')}}), (own.put_item, {'Item': {'pk': S(user), 'w': N(1)}}),
                         (own.query, {'KeyConditionExpression': 'pk = :p', 'ExpressionAttributeValues': {':p': S('other')}}), (own.scan, {})):
        code, message = error_of(call, TableName=hash_table, **kwargs)
        assert code == 'AccessDeniedException' and arn in message
    iam.put_user_policy(UserName=user, PolicyName='own', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [
        {'Effect': 'Allow', 'Action': 'dynamodb:PutItem', 'Resource': arn}]}))
    own.put_item(TableName=hash_table, Item={'pk': S(user), **{f'a{i}': N(1) for i in range(5000)}})     # any number of attributes


def test_tables_of_other_accounts_are_out_of_reach(db, hash_table):
    arn = f'arn:aws:dynamodb:us-east-1:111111111111:table/{hash_table}'
    code, message = error_of(db.get_item, TableName=arn, Key={'pk': S('a')})
    assert code == 'AccessDeniedException'
    assert message.endswith('because no resource-based policy allows the dynamodb:GetItem action')


def test_serialization_errors(db, hash_table):
    for value in ({'S': 1}, {'N': 1}, {'BOOL': 'x'}):
        assert error_of(db.put_item, TableName=hash_table, Item={'pk': value})[0] == 'SerializationException'


@pytest.mark.parametrize('item', [{'': S('x')}, {'m': {'M': {'': S('x')}}}, {'l': {'L': [{'M': {'a': {'M': {'': S('x')}}}}]}}])
def test_an_attribute_without_a_name(db, hash_table, item):
    for call, given in ((db.put_item, {'Item': {'pk': S('a'), **item}}),
                        (db.get_item, {'Key': {'pk': S('a'), **item}}),
                        (db.scan, {'ExclusiveStartKey': {'pk': S('a'), **item}}),
                        (db.update_item, {'Key': {'pk': S('a')}, 'AttributeUpdates': {'': {'Action': 'PUT', 'Value': S('x')}}}),
                        (db.update_item, {'Key': {'pk': S('a')}, 'UpdateExpression': 'SET a = :v', 'ExpressionAttributeValues': {':v': {'M': {'': S('x')}}}})):
        code, message = error_of(call, TableName=hash_table, **given)
        assert code == 'ValidationException' and 'Empty attribute name' in message
    code, message = error_of(db.batch_write_item, RequestItems={hash_table: [{'PutRequest': {'Item': {'pk': S('a'), **item}}}]})
    assert code == 'ValidationException' and 'Empty attribute name' in message
    assert 'Item' not in db.get_item(TableName=hash_table, Key={'pk': S('a')})


def test_a_table_by_its_name_and_by_its_arn(db, unique):
    name = unique('twice')
    make_table(db, name)
    arn = db.describe_table(TableName=name)['Table']['TableArn']

    def put(key):
        return [{'PutRequest': {'Item': {'pk': S(key)}}}]
    repeated = ('ValidationException', 'Provided list of item keys contains duplicates')
    assert error_of(db.batch_write_item, RequestItems={name: put('a'), arn: put('a')}) == repeated
    assert error_of(db.batch_write_item, RequestItems={arn: put('a'), name: [{'DeleteRequest': {'Key': {'pk': S('a')}}}]}) == repeated
    assert db.scan(TableName=name)['Count'] == 0
    db.batch_write_item(RequestItems={name: put('a'), arn: put('b')})
    assert db.scan(TableName=name)['Count'] == 2
    assert error_of(db.batch_get_item, RequestItems={name: {'Keys': [{'pk': S('a')}]}, arn: {'Keys': [{'pk': S('a')}]}}) == repeated
    answer = db.batch_get_item(RequestItems={name: {'Keys': [{'pk': S('a')}]}, arn: {'Keys': [{'pk': S('b')}]}})['Responses']
    assert answer == {name: [{'pk': S('a')}], arn: [{'pk': S('b')}]}
