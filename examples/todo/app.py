"""Todo list behind a REST API with Lambda proxy integration.

GET /                     the web page (page.html beside this file)
GET, POST /todos          list, create
GET, PUT, DELETE /todos/{id}
Every answer allows any origin. app.c is the same in C.
"""
import json
import os
import pathlib
import time
import uuid

import boto3

table = boto3.resource('dynamodb').Table(os.environ['TABLE_NAME'])
PAGE = (pathlib.Path(__file__).parent / 'page.html').read_text()
CORS = {'Access-Control-Allow-Origin': '*'}
# field -> shortest and longest text, or None for true and false
FIELDS = {'title': (1, 200), 'description': (0, 4000), 'completed': None}


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def answer(status, body):
    return {'statusCode': status, 'headers': {'Content-Type': 'application/json', **CORS}, 'body': json.dumps(body)}


def now():
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def fields_of(event):
    """The known fields of the body, each of its type and length."""
    if not event['body']:
        raise Refused(400, 'body: expected a JSON object')
    try:
        body = json.loads(event['body'])
    except ValueError as why:
        raise Refused(400, f'body: no valid JSON at byte {why.pos}') from None
    if not isinstance(body, dict):
        raise Refused(400, 'expected a JSON object')
    for name, bounds in FIELDS.items():
        if body.get(name) is None:
            body.pop(name, None)            # null is absent
            continue
        if bounds is None and not isinstance(body[name], bool):
            raise Refused(400, f'{name}: expected true or false')
        if bounds and not (isinstance(body[name], str) and bounds[0] <= len(body[name]) <= bounds[1]):
            raise Refused(400, f'{name}: expected a string of {bounds[0]} to {bounds[1]} characters')
    for name in body:
        if name not in FIELDS:
            raise Refused(400, f'{name}: unknown member')
    return body


def page(event):
    return {'statusCode': 200, 'headers': {'Content-Type': 'text/html; charset=utf-8', **CORS}, 'body': PAGE}


def list_todos(event):
    answered = table.scan()
    items = answered['Items']
    while 'LastEvaluatedKey' in answered:
        answered = table.scan(ExclusiveStartKey=answered['LastEvaluatedKey'])
        items += answered['Items']
    items.sort(key=lambda item: (item['createdAt'], item['id']))
    return answer(200, {'items': items, 'count': len(items)})


def create(event):
    fields = fields_of(event)
    if 'title' not in fields:
        raise Refused(400, 'title: required')
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
    ('GET', '/'): page,
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
