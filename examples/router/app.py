"""Operation router: one POST carries an operation's name, a table and its payload.

Behind a non-proxy integration: the event is the request's JSON itself, and what the handler returns is the answer's JSON. An
error answers with its message, and API Gateway finds the status by how that begins (deploy.sh): "Bad request: " is 400, any
other 500. app.c is the same in C.
"""
import base64
import json
import logging
import os
from decimal import Decimal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# What is wrong with an input, DynamoDB says. Three tries of two seconds and the pauses between them fit into the function's ten.
dynamodb = boto3.client('dynamodb', config=Config(parameter_validation=False, connect_timeout=1, read_timeout=2,
                                                  retries={'mode': 'standard', 'total_max_attempts': 3}))
log = logging.getLogger()
log.setLevel(getattr(logging, os.environ.get('LOG_LEVEL', ''), logging.INFO))

# operation -> the client's method
METHODS = {'create': 'put_item', 'read': 'get_item', 'update': 'update_item', 'delete': 'delete_item', 'list': 'scan'}
WRITE, READ, KEYED, ANY = {'create', 'update', 'delete'}, {'read', 'list'}, {'read', 'update', 'delete'}, set(METHODS)
REFUSED = {'ValidationException', 'SerializationException', 'ConditionalCheckFailedException'}      # the request's own fault


class BadRequest(Exception):
    """What is wrong with the request."""

    def __init__(self, why):
        super().__init__(f'Bad request: {why}')


class TableError(Exception):
    """DynamoDB failed."""

    def __init__(self, why):
        super().__init__(f'DynamoDB failed: {why}')
        log.error('%s', why)


NAME_SHOWN_MAX = 64             # characters
NO_OBJECT = 'the request must be a JSON object, in UTF-8 and at most 128 levels deep'


def handler(event, context):
    if not isinstance(event, dict):
        raise BadRequest(NO_OBJECT)
    operation, table, payload = event.get('operation'), event.get('tableName'), event.get('payload')
    if operation == 'echo':
        return payload
    if operation == 'ping':
        return 'pong'
    if not isinstance(operation, str) or operation not in METHODS:
        raise BadRequest(f'operation: {unknown(operation)}expected one of create, read, update, delete, list, echo, ping')
    if not isinstance(table, str):
        raise BadRequest('tableName: required' if table is None else 'tableName: expected a string')
    if not isinstance(payload, (dict, type(None))):
        raise BadRequest('payload: expected an object')
    try:
        return call(METHODS[operation], table, input_of(operation, payload or {}))
    except (UnicodeEncodeError, RecursionError):
        raise BadRequest(NO_OBJECT) from None


def unknown(operation):
    """What was sent, as JSON, its first 64 characters. Nothing if it is no text."""
    if not isinstance(operation, str):
        return ''
    try:
        operation.encode()
    except UnicodeEncodeError:
        raise BadRequest(NO_OBJECT) from None
    return f'there is no {json.dumps(operation[:NAME_SHOWN_MAX], ensure_ascii=False)}, '


def call(method, table, members):
    where = f'{dynamodb.meta.method_to_api_mapping[method]} on {table}'
    try:
        return output_of(getattr(dynamodb, method)(TableName=table, **members))
    except ClientError as failed:
        error = failed.response['Error']
        raise (BadRequest if error['Code'] in REFUSED else TableError)(f'{where}: {error["Code"]}: {error["Message"]}') from None
    except BotoCoreError as failed:
        raise TableError(f'{where}: {failed}') from None


# ---- the payload's members ----

def attribute(value):
    """Plain JSON as an attribute value. The runtime has made floats of fractions: their shortest text is what was sent."""
    if value is None:
        return {'NULL': True}
    if isinstance(value, bool):
        return {'BOOL': value}
    if isinstance(value, (int, float)):
        return {'N': repr(value)}
    if isinstance(value, str):
        return {'S': value}
    if isinstance(value, list):
        return {'L': [attribute(element) for element in value]}
    return {'M': attributes(value)}


def attributes(plain):
    return {name: attribute(value) for name, value in plain.items()}


def is_integer(value):
    return type(value) in (int, float) and abs(value) < 2**63 and value == int(value)


# kind -> what it is called, whether a value is one, how DynamoDB wants it
ITEM = 'an object', lambda value: isinstance(value, dict), attributes
NAMES = 'an object', lambda value: isinstance(value, dict), dict
TEXT = 'a string', lambda value: isinstance(value, str), str
INTEGER = 'an integer', is_integer, int
BOOLEAN = 'true or false', lambda value: isinstance(value, bool), bool

# member -> its kind, the operations that take it
MEMBERS = {
    'Item': (ITEM, {'create'}), 'Key': (ITEM, KEYED),
    'UpdateExpression': (TEXT, {'update'}), 'ConditionExpression': (TEXT, WRITE), 'FilterExpression': (TEXT, {'list'}),
    'ProjectionExpression': (TEXT, READ), 'ExpressionAttributeNames': (NAMES, ANY), 'ExpressionAttributeValues': (ITEM, WRITE | {'list'}),
    'ReturnValues': (TEXT, WRITE), 'ReturnConsumedCapacity': (TEXT, ANY), 'ConsistentRead': (BOOLEAN, READ),
    'IndexName': (TEXT, {'list'}), 'Select': (TEXT, {'list'}), 'Limit': (INTEGER, {'list'}), 'Segment': (INTEGER, {'list'}),
    'TotalSegments': (INTEGER, {'list'}), 'ExclusiveStartKey': (ITEM, {'list'}),
}
REQUIRED = {'Item', 'Key'}


def input_of(operation, payload):
    members = {}
    known = {name: kind for name, (kind, operations) in MEMBERS.items() if operation in operations}
    for name, (described, is_one, converted) in known.items():
        value = payload.get(name)
        if value is None and name in REQUIRED:
            raise BadRequest(f'payload.{name}: required')
        if value is not None and not is_one(value):
            raise BadRequest(f'payload.{name}: expected {described}')
        if value is not None:
            members[name] = converted(value)
    for name in payload:
        if name not in known:
            raise BadRequest(f'payload.{name}: unknown member')
    return members


# ---- the answer ----

def number(text):
    """Exact: the runtime writes a Decimal digit by digit."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else value


def text_of(binary):
    return base64.b64encode(binary).decode()


PLAIN = {
    'S': str, 'N': number, 'BOOL': bool, 'NULL': lambda _: None, 'B': text_of,
    'SS': list, 'NS': lambda numbers: [number(text) for text in numbers], 'BS': lambda values: [text_of(binary) for binary in values],
    'L': lambda values: [plain(value) for value in values], 'M': lambda item: {name: plain(value) for name, value in item.items()},
}


def plain(value):
    (tag, inner), = value.items()
    return PLAIN[tag](inner)


def output_of(answer):
    """With its items in plain JSON."""
    answer.pop('ResponseMetadata')
    for name in {'Item', 'Attributes', 'LastEvaluatedKey'} & answer.keys():
        answer[name] = PLAIN['M'](answer[name])
    if 'Items' in answer:
        answer['Items'] = [PLAIN['M'](item) for item in answer['Items']]
    return answer
