"""Items behind JSON Web Tokens: create, read, replace, delete, list.

GET, POST /items          list (limit, next), create
GET, PUT, DELETE /items/{id}
Each request carries "Authorization: Bearer TOKEN", checked with JWT_SECRET (HS256) or JWT_JWKS (a key set's JSON:
RS256, ES256). Every request is a structured log line with the token's subject. app.c is the same in C.
"""
import datetime
import json
import os
import re
import sys
import urllib.parse

import boto3
import botocore
import jwt
from botocore.exceptions import BotoCoreError, ClientError
from jwt.utils import base64url_decode, base64url_encode


def setting(name):
    """An environment variable; a function without it ends, with one line that names it."""
    return os.environ.get(name) or sys.exit(f'environment variable {name} is missing')


# Three tries of a call end inside the function's ten seconds.
QUICK = botocore.config.Config(connect_timeout=1, read_timeout=2, retries={'mode': 'standard', 'total_max_attempts': 3})
table = boto3.resource('dynamodb', config=QUICK).Table(setting('TABLE_NAME'))
conditional = table.meta.client.exceptions.ConditionalCheckFailedException
PAGE = 100                  # items of a list, at most and unless the request asks for fewer
KEY_MAX = 2048              # bytes that DynamoDB allows for a key
NAME_SHOWN = 64             # bytes of a name that the client made up
LEEWAY = 30                 # seconds
MISSING = 'There is no such item.'
FIELDS = {'id': (1, 64), 'name': (1, 200), 'description': (1, 4000)}


class Refused(Exception):
    """Another answer than the one that was asked for; `why` is for the log."""
    def __init__(self, status, message, why=None, headers=None):
        super().__init__(message)
        self.status, self.why, self.headers = status, why, headers or {}


LOG_LEVELS = 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'
WRITTEN = LOG_LEVELS[LOG_LEVELS.index(os.environ.get('LOG_LEVEL') if os.environ.get('LOG_LEVEL') in LOG_LEVELS else 'INFO'):]


def log(level, request_id, message, **members):
    if level not in WRITTEN:
        return
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%S.%f')[:-3] + 'Z'
    print(json.dumps({'timestamp': stamp, 'level': level, 'requestId': request_id, 'message': message, **members}), file=sys.stderr)


def ask(operation, **parameters):
    """DynamoDB's answer to one call. What failed is said in the log, not to the client."""
    try:
        return getattr(table, botocore.xform_name(operation))(**parameters)
    except conditional:
        raise
    except (BotoCoreError, ClientError) as why:
        raise Refused(500, 'Internal server error', f'{operation} on {table.name}: {why}') from None


# ---- tokens: what a key is for decides the algorithm, not the token ----

BITS = {'RS256': range(2048, 8193), 'ES256': range(256, 257)}       # how long a key of that algorithm may be


def public_keys(jwks):
    """(id, algorithm, key) of the set's keys for signatures. Others are passed over: RFC 7517, section 5."""
    found = []
    for jwk in json.loads(jwks)['keys']:
        if jwk.get('use', 'sig') != 'sig' or 'verify' not in jwk.get('key_ops', ['verify']):
            continue
        try:
            key = jwt.PyJWK(jwk)
        except (jwt.PyJWTError, ValueError):
            continue
        if key.algorithm_name in BITS and key.key.key_size in BITS[key.algorithm_name]:
            found.append((key.key_id, key.algorithm_name, key.key))
    return found or sys.exit('JWT_JWKS has no RSA or P-256 key for signatures')


def secret_key(secret):
    """The same of a secret."""
    return [(None, 'HS256', secret)] if len(secret.encode()) >= 32 else sys.exit('JWT_SECRET must have at least 32 bytes')


JWKS = os.environ.get('JWT_JWKS')
KEYS = public_keys(JWKS) if JWKS else secret_key(os.environ.get('JWT_SECRET') or sys.exit('JWT_SECRET or JWT_JWKS must be set'))


def key_of(header):
    """The key that a token's header names, by its id and its algorithm. A set of one key needs no id, a secret has none."""
    id = header.get('kid') if JWKS else None
    for known, algorithm, key in KEYS:
        if algorithm == header.get('alg') and (len(KEYS) == 1 if id is None else known == id):
            return key, algorithm
    raise jwt.InvalidTokenError('no key of this id and algorithm')


def claims_of(token):
    """PyJWT checks the token; what RFC 7515 and 7519 forbid and PyJWT lets pass is refused here."""
    header = jwt.get_unverified_header(token)
    key, algorithm = key_of(header)
    if 'crit' in header or header.get('kid') == '':
        raise jwt.InvalidTokenError('critical headers, or an empty key id')
    if any(base64url_encode(base64url_decode(part)).decode() != part for part in token.split('.')):
        raise jwt.InvalidTokenError('padding or other characters than those of base64url')
    claims = jwt.decode(token, key, algorithms=[algorithm], leeway=LEEWAY, options={'require': ['exp'], 'verify_aud': False})
    for name in 'exp', 'nbf', 'iat':
        if type(claims.get(name, 0)) not in (int, float):
            raise jwt.InvalidTokenError(f'{name} is no number')
    return claims


def subject_of(event):
    """Of repeated headers the first one counts."""
    headers = (event['multiValueHeaders'] or {}).items()
    header = next((values[0] for name, values in headers if name.lower() == 'authorization'), '')
    scheme, _, token = header.partition(' ')
    try:
        if scheme.lower() != 'bearer':
            raise jwt.InvalidTokenError('no bearer token')
        return claims_of(token.strip(' ')).get('sub', '')
    # A claim of another type, or a number without bound, ends some of PyJWT's checks in errors of Python's own.
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as why:
        raise Refused(401, 'Unauthorized', f'token refused: {why}', {'WWW-Authenticate': 'Bearer'}) from None


# ---- what a request says ----

def id_of(event):
    """The path is as the client wrote it. An id too long for a key cannot be there."""
    id = urllib.parse.unquote(event['pathParameters']['id'])
    if len(id.encode()) > KEY_MAX:
        raise Refused(404, MISSING)
    return id


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


def fields_of(event, *fields):
    """The body's fields, each a string of its length, none missing, none more."""
    body = object_of(event['body'])
    for name in fields:
        if body.get(name) is None:
            raise Refused(400, f'{name}: required')
        if not is_text(body[name], *FIELDS[name]):
            raise Refused(400, f'{name}: expected a string of {FIELDS[name][0]} to {FIELDS[name][1]} characters')
    for name in body:
        if name not in fields:
            raise Refused(400, f'{shown(name)}: unknown member')
    return body


# ---- the routes ----

def answer(status, body=None, headers=None):
    if body is None:
        return {'statusCode': status, 'headers': headers or {}, 'body': ''}
    return {'statusCode': status, 'headers': {'Content-Type': 'application/json', **(headers or {})}, 'body': json.dumps(body)}


def write(item, condition, status, otherwise, why):
    try:
        ask('PutItem', Item=item, ConditionExpression=condition)
    except conditional:
        raise Refused(otherwise, why) from None
    return answer(status, item)


def create(event):
    return write(fields_of(event, 'id', 'name', 'description'), 'attribute_not_exists(id)', 201, 409, 'There is an item of this id.')


def replace(event):
    return write({'id': id_of(event), **fields_of(event, 'name', 'description')}, 'attribute_exists(id)', 200, 404, MISSING)


def read(event):
    item = ask('GetItem', Key={'id': id_of(event)}, ConsistentRead=True).get('Item')
    if not item:
        raise Refused(404, MISSING)
    return answer(200, item)


def delete(event):
    if 'Attributes' not in ask('DeleteItem', Key={'id': id_of(event)}, ReturnValues='ALL_OLD'):
        raise Refused(404, MISSING)
    return answer(204)


def list_items(event):
    """One page; "next" is what to ask for the following one with."""
    found = ask('Scan', **page_of(event))
    following = {'next': found['LastEvaluatedKey']['id']} if 'LastEvaluatedKey' in found else {}
    return answer(200, {'items': found['Items'], **following})


ROUTES = {
    '/items': {'GET': list_items, 'POST': create},
    '/items/{id}': {'GET': read, 'PUT': replace, 'DELETE': delete},
}
LEVELS = {401: 'WARN', 500: 'ERROR'}


def route_of(event):
    methods = ROUTES.get(event['resource'])
    if not methods or '//' in event['path']:
        raise Refused(404, 'no such path')
    method = 'GET' if event['httpMethod'] == 'HEAD' else event['httpMethod']
    if method not in methods:
        raise Refused(405, 'method not allowed', headers={'Allow': ', '.join(methods)})
    return methods[method]


def handler(event, context):
    asked = {'method': event['httpMethod'], 'path': event['path']}
    try:
        route = route_of(event)
        log('INFO', context.aws_request_id, 'request', **asked, subject=subject_of(event))
        return route(event)
    except Refused as refused:
        if refused.why:
            log(LEVELS[refused.status], context.aws_request_id, refused.why, **asked)
        return answer(refused.status, {'error': str(refused)}, refused.headers)
