"""Todo list behind a REST API with Lambda proxy integration.

GET, POST /todos        list, create
GET, PUT, DELETE /todos/{id}
Every answer allows any origin; the preflight is answered by the gateway's mock integration.
"""
import json
import os
import time
import uuid

import boto3

table = boto3.resource('dynamodb').Table(os.environ['TABLE_NAME'])
FIELDS = {'title': str, 'description': str, 'completed': bool}


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def answer(status, body):
    return {'statusCode': status, 'headers': {'Content-Type': 'application/json', 'Access-Control-Allow-Origin': '*'},
            'body': json.dumps(body)}


def now():
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def fields_of(event):
    """The known fields of the body, each of its type."""
    try:
        body = json.loads(event['body'] or '')
    except ValueError:
        raise Refused(400, 'The body must be JSON.') from None
    if not isinstance(body, dict):
        raise Refused(400, 'The body must be a JSON object.')
    wrong = [name for name, value in body.items() if not isinstance(value, FIELDS.get(name, ()))]
    if wrong:
        raise Refused(400, f'Unknown field or wrong type: {", ".join(sorted(wrong))}.')
    return body


def list_todos(event):
    page = table.scan()
    items = page['Items']
    while 'LastEvaluatedKey' in page:
        page = table.scan(ExclusiveStartKey=page['LastEvaluatedKey'])
        items += page['Items']
    items.sort(key=lambda item: item['createdAt'])
    return answer(200, {'items': items, 'count': len(items)})


def create(event):
    fields = fields_of(event)
    if not fields.get('title'):
        raise Refused(400, 'title is required.')
    stamp = now()
    item = {'id': str(uuid.uuid4()), 'description': '', 'completed': False, **fields, 'createdAt': stamp, 'updatedAt': stamp}
    table.put_item(Item=item)
    return answer(201, item)


def read(event):
    item = table.get_item(Key=event['pathParameters']).get('Item')
    if not item:
        raise Refused(404, 'There is no such todo.')
    return answer(200, item)


def update(event):
    fields = {**fields_of(event), 'updatedAt': now()}
    try:
        done = table.update_item(
            Key=event['pathParameters'], ConditionExpression='attribute_exists(id)', ReturnValues='ALL_NEW',
            UpdateExpression='SET ' + ', '.join(f'#{name} = :{name}' for name in fields),
            ExpressionAttributeNames={f'#{name}': name for name in fields},
            ExpressionAttributeValues={f':{name}': value for name, value in fields.items()})
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        raise Refused(404, 'There is no such todo.') from None
    return answer(200, done['Attributes'])


def delete(event):
    done = table.delete_item(Key=event['pathParameters'], ReturnValues='ALL_OLD')
    if 'Attributes' not in done:
        raise Refused(404, 'There is no such todo.')
    return answer(200, {'deleted': done['Attributes']['id']})


ROUTES = {
    ('GET', '/todos'): list_todos,
    ('POST', '/todos'): create,
    ('GET', '/todos/{id}'): read,
    ('PUT', '/todos/{id}'): update,
    ('DELETE', '/todos/{id}'): delete,
}


def handler(event, context):
    route = ROUTES.get((event['httpMethod'], event['resource']))
    try:
        if not route:
            raise Refused(405, 'This method is not allowed here.')
        return route(event)
    except Refused as refused:
        return answer(refused.status, {'error': str(refused)})
