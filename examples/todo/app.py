"""Todo list behind a REST API with Lambda proxy integration.

GET /                     the web page (page.html beside this file)
GET, POST /todos          list (limit, next), create
GET, PUT, DELETE /todos/{id}
Every answer allows any origin. app.c is the same in C.
"""
import datetime
import json
import os
import pathlib
import re
import sys
import time
import urllib.parse
import uuid

import boto3
import botocore
from botocore.exceptions import BotoCoreError, ClientError


def setting(name):
    """An environment variable; a function without it ends, with one line that names it."""
    return os.environ.get(name) or sys.exit(f'environment variable {name} is missing')


# Three tries of a call end inside the function's ten seconds.
QUICK = botocore.config.Config(connect_timeout=1, read_timeout=2, retries={'mode': 'standard', 'total_max_attempts': 3})
table = boto3.resource('dynamodb', config=QUICK).Table(setting('TABLE_NAME'))
conditional = table.meta.client.exceptions.ConditionalCheckFailedException
PAGE_HTML = (pathlib.Path(__file__).parent / 'page.html').read_text()
CORS = {'Access-Control-Allow-Origin': '*'}
PAGE = 100                  # todos of a list, at most and unless the request asks for fewer
KEY_MAX = 2048              # bytes that DynamoDB allows for a key
NAME_SHOWN = 64             # bytes of a name that the client made up
MISSING = 'There is no such todo.'
# field -> shortest and longest text, or None for true and false
FIELDS = {'title': (1, 200), 'description': (0, 4000), 'completed': None}


class Refused(Exception):
    """Another answer than the one that was asked for; `why` is for the log."""
    def __init__(self, status, message, why=None, headers=None):
        super().__init__(message)
        self.status, self.why, self.headers = status, why, headers or {}


LOG_LEVELS = 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'
WRITTEN = LOG_LEVELS[LOG_LEVELS.index(os.environ.get('LOG_LEVEL') if os.environ.get('LOG_LEVEL') in LOG_LEVELS else 'INFO'):]


def log(level, request_id, message):
    if level not in WRITTEN:
        return
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%f')[:-3] + 'Z'
    print(json.dumps({'timestamp': stamp, 'level': level, 'requestId': request_id, 'message': message}), file=sys.stderr)


def ask(operation, **parameters):
    """DynamoDB's answer to one call. What failed is said in the log, not to the client."""
    try:
        return getattr(table, botocore.xform_name(operation))(**parameters)
    except conditional:
        raise
    except (BotoCoreError, ClientError) as why:
        raise Refused(500, 'Internal server error', f'{operation} on {table.name}: {why}') from None


def answer(status, body, headers=None):
    return {'statusCode': status, 'headers': {'Content-Type': 'application/json', **CORS, **(headers or {})}, 'body': json.dumps(body)}


def now():
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


# ---- what a request says ----

def key_of(event):
    """The path is as the client wrote it. An id too long for a key cannot be there."""
    id = urllib.parse.unquote(event['pathParameters']['id'])
    if len(id.encode()) > KEY_MAX:
        raise Refused(404, MISSING)
    return {'id': id}


def page_of(event):
    """limit and next of the query as Scan has them. Of repeated parameters the first one counts."""
    query = {name: values[0] for name, values in (event['multiValueQueryStringParameters'] or {}).items()}
    limit, start = query.get('limit', str(PAGE)), query.get('next')
    if not (limit.isascii() and limit.isdigit() and 1 <= float(limit) <= PAGE):
        raise Refused(400, f'limit: expected an integer from 1 to {PAGE}')
    if start and len(start.encode()) > KEY_MAX:
        raise Refused(400, f'next: expected at most {KEY_MAX} bytes')
    return {'Limit': int(float(limit)), **({'ExclusiveStartKey': {'id': start}} if start else {})}


def object_of(text):
    """The body. None of our fields is a number, so float may take integers of any length; int refuses NaN and Infinity."""
    try:
        body = json.loads(text or 'null', parse_int=float, parse_constant=int)
    except json.JSONDecodeError as why:
        raise Refused(400, f'body: no valid JSON at byte {len(text[:why.pos].encode())}') from None
    except (ValueError, RecursionError):
        raise Refused(400, 'body: no valid JSON') from None
    if not isinstance(body, dict):
        raise Refused(400, 'body: expected a JSON object')
    return body


def shown(name):
    """The first bytes of a name that the client made up, without control characters."""
    cut = name.encode(errors='replace')[:NAME_SHOWN].decode(errors='ignore')
    return re.sub(r'[\x00-\x1f\x7f]', lambda found: f'\\u{ord(found[0]):04x}', cut)


def is_text(value, shortest, longest):
    """A string of that many characters; half of a surrogate pair is none."""
    return isinstance(value, str) and shortest <= len(value) <= longest and not any('\ud800' <= c <= '\udfff' for c in value)


def fields_of(event):
    """The known fields of the body, each of its type and length. null is absent."""
    body = object_of(event['body'])
    fields = {name: body[name] for name in FIELDS if body.get(name) is not None}
    for name, value in fields.items():
        bounds = FIELDS[name]
        if bounds is None and not isinstance(value, bool):
            raise Refused(400, f'{name}: expected true or false')
        if bounds and not is_text(value, *bounds):
            raise Refused(400, f'{name}: expected a string of {bounds[0]} to {bounds[1]} characters')
    for name in body:
        if name not in FIELDS:
            raise Refused(400, f'{shown(name)}: unknown member')
    return fields


# ---- the routes ----

def page(event):
    return {'statusCode': 200, 'headers': {'Content-Type': 'text/html; charset=utf-8', **CORS}, 'body': PAGE_HTML}


def list_todos(event):
    """One page; "next" is what to ask for the following one with."""
    found = ask('Scan', **page_of(event))
    items = sorted(found['Items'], key=lambda item: (item['createdAt'], item['id']))
    following = {'next': found['LastEvaluatedKey']['id']} if 'LastEvaluatedKey' in found else {}
    return answer(200, {'items': items, 'count': len(items), **following})


def create(event):
    fields = fields_of(event)
    if 'title' not in fields:
        raise Refused(400, 'title: required')
    stamp = now()
    item = {'id': str(uuid.uuid4()), 'description': '', 'completed': False, **fields, 'createdAt': stamp, 'updatedAt': stamp}
    ask('PutItem', Item=item)
    return answer(201, item)


def read(event):
    item = ask('GetItem', Key=key_of(event)).get('Item')
    if not item:
        raise Refused(404, MISSING)
    return answer(200, item)


def update(event):
    key, fields = key_of(event), {**fields_of(event), 'updatedAt': now()}
    try:
        done = ask('UpdateItem', Key=key, ConditionExpression='attribute_exists(id)', ReturnValues='ALL_NEW',
                   UpdateExpression='SET ' + ', '.join(f'#{name} = :{name}' for name in fields),
                   ExpressionAttributeNames={f'#{name}': name for name in fields},
                   ExpressionAttributeValues={f':{name}': value for name, value in fields.items()})
    except conditional:
        raise Refused(404, MISSING) from None
    return answer(200, done['Attributes'])


def delete(event):
    if 'Attributes' not in ask('DeleteItem', Key=key_of(event), ReturnValues='ALL_OLD'):
        raise Refused(404, MISSING)
    return answer(200, {'message': 'The todo is gone.'})


ROUTES = {
    '/': {'GET': page},
    '/todos': {'GET': list_todos, 'POST': create},
    '/todos/{id}': {'GET': read, 'PUT': update, 'DELETE': delete},
}


def route_of(event):
    methods = ROUTES.get(event['resource'])
    if not methods or '//' in event['path']:
        raise Refused(404, 'no such path')
    if event['httpMethod'] not in methods:
        raise Refused(405, 'method not allowed', headers={'Allow': ', '.join([*methods, 'OPTIONS'])})
    return methods[event['httpMethod']]


def handler(event, context):
    try:
        return route_of(event)(event)
    except Refused as refused:
        if refused.why:
            log('ERROR', context.aws_request_id, refused.why)
        return answer(refused.status, {'error': str(refused)}, refused.headers)
