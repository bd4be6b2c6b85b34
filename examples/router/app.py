"""Operation router: one POST carries an operation's name, a table and its payload.

Behind a non-proxy integration: the event is the request's JSON itself, and what the handler returns is the answer's JSON.
"""
import boto3

dynamodb = boto3.resource('dynamodb')

# operation -> the Table method that takes the payload as keyword arguments
TABLE_OPERATIONS = {
    'create': 'put_item',
    'read': 'get_item',
    'update': 'update_item',
    'delete': 'delete_item',
    'list': 'scan',
}


def handler(event, context):
    operation, payload = event.get('operation'), event.get('payload') or {}
    if operation == 'echo':
        return payload
    if operation == 'ping':
        return 'pong'
    if operation not in TABLE_OPERATIONS:
        raise ValueError(f'unknown operation: {operation!r}')
    answer = getattr(dynamodb.Table(event['tableName']), TABLE_OPERATIONS[operation])(**payload)
    answer.pop('ResponseMetadata', None)
    return plain(answer)


def plain(value):
    """Numbers arrive as Decimal, sets as set; JSON knows neither."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, (list, set, tuple)):
        return [plain(element) for element in value]
    if hasattr(value, 'as_integer_ratio') and not isinstance(value, (int, float)):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
