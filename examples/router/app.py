"""Operation router: one POST carries an operation's name, a table and its payload.

Behind a non-proxy integration: the event is the request's JSON itself, and what the handler returns is the answer's JSON.
app.c is the same in C.
"""
import json
from decimal import Decimal

import boto3
from botocore.exceptions import ClientError

dynamodb = boto3.resource('dynamodb')

# operation -> the Table method that takes the payload as keyword arguments
TABLE_OPERATIONS = {
    'create': 'put_item',
    'read': 'get_item',
    'update': 'update_item',
    'delete': 'delete_item',
    'list': 'scan',
}


class TableError(Exception):
    """What DynamoDB refused, and why."""


def handler(event, context):
    operation, payload = event.get('operation'), event.get('payload') or {}
    if operation == 'echo':
        return payload
    if operation == 'ping':
        return 'pong'
    if operation not in TABLE_OPERATIONS:
        raise ValueError(f'unknown operation: {operation!r}')
    method = getattr(dynamodb.Table(event['tableName']), TABLE_OPERATIONS[operation])
    try:
        answer = method(**json.loads(json.dumps(payload), parse_float=Decimal))     # a table takes no floats
    except ClientError as refused:
        error = refused.response['Error']
        raise TableError(f'{refused.operation_name} on {event["tableName"]}: {error["Code"]}: {error["Message"]}') from None
    answer.pop('ResponseMetadata', None)
    return plain(answer)


def plain(value):
    """Numbers arrive as Decimal, sets as set; JSON knows neither."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, (list, set, tuple)):
        return [plain(element) for element in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
