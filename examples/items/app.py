"""Items behind JSON Web Tokens: create, read, replace, delete, list.

GET, POST /items          list (limit, next), create
GET, PUT, DELETE /items/{id}
Each request carries "Authorization: Bearer TOKEN", checked with JWT_SECRET (HS256) or JWT_JWKS (a key set's JSON:
RS256, ES256). Every request is a structured log line with the token's subject. app.c is the same in C.
"""
import json
import os
import sys
import time

import boto3
import jwt

table = boto3.resource('dynamodb').Table(os.environ['TABLE_NAME'])
conditional = table.meta.client.exceptions.ConditionalCheckFailedException
PAGE = 100                  # items of a list, at most and unless the request asks for fewer
LEEWAY = 30                 # seconds
FIELDS = {'id': (1, 64), 'name': (1, 200), 'description': (1, 4000)}


class Refused(Exception):
    def __init__(self, status, message, headers=None):
        super().__init__(message)
        self.status, self.headers = status, headers or {}


def log(level, request_id, message, **members):
    stamp = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime()) + f'.{time.time_ns() // 1_000_000 % 1000:03}Z'
    print(json.dumps({'timestamp': stamp, 'level': level, 'requestId': request_id, 'message': message, **members}), file=sys.stderr)


# ---- tokens: what the key is for decides the algorithm, not the token ----

def keys():
    """Key id -> (key, algorithm); the key of a secret has the id None."""
    if os.environ.get('JWT_JWKS'):
        algorithm = {'RSA': 'RS256', 'EC': 'ES256'}
        return {key.key_id: (key.key, algorithm[key.key_type]) for key in jwt.PyJWKSet.from_json(os.environ['JWT_JWKS']).keys
                if key.key_type in algorithm}
    secret = os.environ['JWT_SECRET']
    if len(secret) < 32:
        raise RuntimeError('JWT_SECRET must have at least 32 bytes')
    return {None: (secret, 'HS256')}


KEYS = keys()


def subject_of(event):
    header = next((value for name, value in (event['headers'] or {}).items() if name.lower() == 'authorization'), '')
    scheme, _, token = header.partition(' ')
    try:
        if scheme.lower() != 'bearer':
            raise jwt.InvalidTokenError('no bearer token')
        id = jwt.get_unverified_header(token).get('kid')
        key = KEYS.get(id) if None not in KEYS else KEYS[None]
        if not key and id is None and len(KEYS) == 1:
            key = next(iter(KEYS.values()))
        if not key:
            raise jwt.InvalidTokenError('no key of this id')
        return jwt.decode(token, key[0], algorithms=[key[1]], leeway=LEEWAY, options={'require': ['exp'], 'verify_aud': False}).get('sub', '')
    except (jwt.InvalidTokenError, ValueError) as why:
        raise Refused(401, 'Unauthorized', {'WWW-Authenticate': 'Bearer'}) from why


# ---- the routes ----

def answer(status, body=None, headers=None):
    if body is None:
        return {'statusCode': status, 'headers': headers or {}, 'body': ''}
    return {'statusCode': status, 'headers': {'Content-Type': 'application/json', **(headers or {})}, 'body': json.dumps(body)}


def body_of(event, *fields):
    """The body's fields, each a string of its length, none missing, none more."""
    if not event['body']:
        raise Refused(400, 'body: expected a JSON object')
    try:
        body = json.loads(event['body'])
    except ValueError as why:
        raise Refused(400, f'body: no valid JSON at byte {why.pos}') from None
    if not isinstance(body, dict):
        raise Refused(400, 'expected a JSON object')
    for name in fields:
        shortest, longest = FIELDS[name]
        if body.get(name) is None:
            raise Refused(400, f'{name}: required')
        if not (isinstance(body[name], str) and shortest <= len(body[name]) <= longest):
            raise Refused(400, f'{name}: expected a string of {shortest} to {longest} characters')
    for name in body:
        if name not in fields:
            raise Refused(400, f'{name}: unknown member')
    return body


def write(item, condition, status, otherwise, why):
    try:
        table.put_item(Item=item, ConditionExpression=condition)
    except conditional:
        raise Refused(otherwise, why) from None
    return answer(status, item)


def create(event):
    return write(body_of(event, 'id', 'name', 'description'), 'attribute_not_exists(id)', 201, 409, 'There is an item of this id.')


def replace(event):
    item = {'id': event['pathParameters']['id'], **body_of(event, 'name', 'description')}
    return write(item, 'attribute_exists(id)', 200, 404, 'There is no such item.')


def read(event):
    item = table.get_item(Key=event['pathParameters'], ConsistentRead=True).get('Item')
    if not item:
        raise Refused(404, 'There is no such item.')
    return answer(200, item)


def delete(event):
    if 'Attributes' not in table.delete_item(Key=event['pathParameters'], ReturnValues='ALL_OLD'):
        raise Refused(404, 'There is no such item.')
    return answer(204)


def list_items(event):
    query = event['queryStringParameters'] or {}
    limit = query.get('limit', '')
    if limit and not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= PAGE):
        raise Refused(400, f'limit: expected an integer from 1 to {PAGE}')
    start = {'ExclusiveStartKey': {'id': query['next']}} if query.get('next') else {}
    page = table.scan(Limit=int(limit or PAGE), **start)
    following = {'next': page['LastEvaluatedKey']['id']} if 'LastEvaluatedKey' in page else {}
    return answer(200, {'items': page['Items'], **following})


ROUTES = {
    ('GET', '/items'): list_items,
    ('POST', '/items'): create,
    ('GET', '/items/{id}'): read,
    ('PUT', '/items/{id}'): replace,
    ('DELETE', '/items/{id}'): delete,
}


def handler(event, context):
    asked = {'method': event['httpMethod'], 'path': event['path']}
    try:
        subject = subject_of(event)
        log('INFO', context.aws_request_id, 'request', **asked, subject=subject)
        route = ROUTES.get((event['httpMethod'], event['resource']))
        if not route:
            raise Refused(405, 'This method is not allowed here.')
        return route(event)
    except Refused as refused:
        if refused.status == 401:
            log('WARN', context.aws_request_id, f'token refused: {refused.__cause__}', **asked)
        return answer(refused.status, {'error': str(refused)}, refused.headers)
