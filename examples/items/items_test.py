"""The items from outside: who may come in, their life, what is refused, what they answer when DynamoDB fails."""
import hmac
import http.client
import json
import pathlib
import subprocess
import time
import urllib.parse
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.utils import base64url_encode

from conftest import JWT_SECRET

HERE = pathlib.Path(__file__).parent
MISSING, UNAUTHORIZED = {'error': 'There is no such item.'}, {'error': 'Unauthorized'}
FAR = 4102444800            # the year 2100


def token(secret=JWT_SECRET, algorithm='HS256', headers=None, **claims):
    return jwt.encode({'sub': 'ada', 'exp': FAR, **claims}, secret, algorithm=algorithm, headers=headers)


def bearer(value):
    return {'Authorization': f'Bearer {value}'}


@pytest.fixture
def ask(app):
    return lambda method, path, body=None: app.ask(method, path, body, bearer(token()))


@pytest.fixture
def both_ask(both):
    """As both, with a token and without the headers: (status, body)."""
    return lambda method, path, body=None: both(method, path, body, bearer(token()))[::2]


@pytest.fixture
def item(ask):
    item = {'id': uuid.uuid4().hex, 'name': 'a name', 'description': 'some text é'}
    made = ask('POST', '/items', item)
    assert (made.status, made.json) == (201, item)
    return item


def test_an_item_lives(ask, item):
    at = f'/items/{item["id"]}'
    read = ask('GET', at)
    assert (read.status, read.json, read.headers['Content-Type']) == (200, item, 'application/json')
    changed = ask('PUT', at, {'name': 'new', 'description': 'newer'})
    assert (changed.status, changed.json) == (200, {'id': item['id'], 'name': 'new', 'description': 'newer'})
    assert ask('GET', at).json == changed.json
    again = ask('POST', '/items', item)
    assert (again.status, again.json) == (409, {'error': 'There is an item of this id.'})
    gone = ask('DELETE', at)
    assert (gone.status, gone.body) == (204, b'')
    for method, body in (('GET', None), ('PUT', {'name': 'x', 'description': 'y'}), ('DELETE', None)):
        missing = ask(method, at, body)
        assert (missing.status, missing.json) == (404, {'error': 'There is no such item.'})


def test_pages(ask, item):
    ask('POST', '/items', {'id': uuid.uuid4().hex, 'name': 'second', 'description': 'x'})
    found, next = [], None
    for _ in range(1000):
        page = ask('GET', f'/items?limit=1{f"&next={next}" if next else ""}').json
        assert len(page['items']) <= 1
        found += [i['id'] for i in page['items']]
        next = page.get('next')
        if not next:
            break
    assert next is None and item['id'] in found and len(found) == len(set(found)) >= 2
    assert item['id'] in [i['id'] for i in ask('GET', '/items').json['items']]


TEXT = 'expected a string of'


@pytest.mark.parametrize('body, error', [
    ('', 'body: expected a JSON object'), ('[]', 'body: expected a JSON object'), ('"text"', 'body: expected a JSON object'), ('{"id" "x"}', 'body: no valid JSON at byte 6'), ('{"é" "x"}', 'body: no valid JSON at byte 6'),
    ({}, 'id: required'), ({'id': None, 'name': 'n', 'description': 'd'}, 'id: required'), ({'id': 'i', 'description': 'd'}, 'name: required'),
    ({'id': '', 'name': 'n', 'description': 'd'}, f'id: {TEXT} 1 to 64 characters'), ({'id': 'x' * 65, 'name': 'n', 'description': 'd'}, f'id: {TEXT} 1 to 64 characters'),
    ({'id': 'i', 'name': 1, 'description': 'd'}, f'name: {TEXT} 1 to 200 characters'), ({'id': 'i', 'name': 'n'}, 'description: required'),
    ({'id': 'i', 'name': 'n', 'description': 4001 * 'd'}, f'description: {TEXT} 1 to 4000 characters'),
    ('{"id":' + 5000 * '9' + '}', f'id: {TEXT} 1 to 64 characters'),
    ({'id': 'i', 'name': 'n', 'description': 'd', 'more': 1}, 'more: unknown member'),
    ({'id': 'i', 'name': 'n', 'description': 'd', 65 * 'm': 1}, 64 * 'm' + ': unknown member'),
    ({'id': 'i', 'name': 'n', 'description': 'd', 'a\n\x7f': 1}, 'a\\u000a\\u007f: unknown member'),
], ids=lambda value: str(value)[:40])
def test_bad_bodies(both_ask, body, error):
    assert both_ask('POST', '/items', body) == (400, {'error': error})


@pytest.mark.parametrize('body, error', [
    ('', 'body: expected a JSON object'), ({'name': 'n'}, 'description: required'), ({'name': '', 'description': 'd'}, f'name: {TEXT} 1 to 200 characters'),
    ({'id': 'i', 'name': 'n', 'description': 'd'}, 'id: unknown member'),
], ids=str)
def test_bad_replacements(both_ask, body, error):
    assert both_ask('PUT', '/items/none', body) == (400, {'error': error})


@pytest.mark.parametrize('body', [
    '{"id":"\\ud800","name":"n","description":"d"}', '{"id":"i","name":"n","description":"d","\\udfff":1}', '{"id":NaN}',
    '{"id":' + 200 * '[' + 200 * ']' + '}', 1001 * '[' + 1001 * ']', 100000 * '[', '{"id":"x', '{"id":tru}', '[' + 2_500_000 * '0,' + '0]',
], ids=lambda body: body[:30])
def test_bodies_that_are_no_json_of_ours(ask, body):
    """Which byte is wrong, each parser says in its own way."""
    answer = ask('POST', '/items', body)
    assert answer.status == 400 and list(answer.json) == ['error']


def test_bodies_that_are_too_large(both_ask):
    assert both_ask('POST', '/items', '{"id":"' + 7_000_000 * 'x' + '"}')[0] == 413


# ---- both versions give one answer ----

def test_each_route_answers_alike(both_ask):
    item, at = {'id': 'alike LANG', 'name': 'a "name" é', 'description': '\\ \u2028 \x7f'}, '/items/alike%20LANG'
    for method, body in ('GET', None), ('PUT', {'name': 'x', 'description': 'y'}), ('DELETE', None):
        assert both_ask(method, at, body) == (404, MISSING)
    assert both_ask('POST', '/items', item) == (201, item) and both_ask('GET', at) == (200, item)
    assert both_ask('POST', '/items', item) == (409, {'error': 'There is an item of this id.'})
    assert both_ask('PUT', at, {'name': 'x', 'description': 'y'}) == (200, {'id': 'alike LANG', 'name': 'x', 'description': 'y'})
    assert both_ask('HEAD', at) == (200, '')
    assert both_ask('DELETE', at) == (204, '')


def test_lists_are_alike(server, functions, both_ask):
    table = server.resource('dynamodb').Table('items')
    for id in 'one', 'two':
        table.put_item(Item={'id': id, 'name': 'n', 'description': 'd'})
    status, page = both_ask('GET', '/items?limit=1')
    assert status == 200 and set(page) == {'items', 'next'}
    assert len(both_ask('GET', f'/items?limit=1&next={page["next"]}')[1]['items']) == 1 and len(both_ask('GET', '/items')[1]['items']) >= 2


@pytest.mark.parametrize('id', ['a b', 'é', 'a/b', 'a+b', 'a:b', '"\'', 'a%b', 'a%20b', '%41', '😀', '..', '{x}', 58 * 'x'])
def test_ids_that_are_encoded_in_the_path(both_ask, id):
    """API Gateway hands the path over as the client sent it; it is decoded once."""
    item, at = {'id': f'{id} LANG', 'name': 'n', 'description': 'd'}, '/items/' + urllib.parse.quote(f'{id} LANG', safe='')
    assert both_ask('POST', '/items', item) == (201, item) and both_ask('GET', at) == (200, item)
    assert both_ask('PUT', at, {'name': 'x', 'description': 'y'})[0] == 200
    assert both_ask('DELETE', at) == (204, '') and both_ask('GET', at) == (404, MISSING)


@pytest.mark.parametrize('id', [2048 * 'x', 2049 * 'x', 1025 * '%C3%A9', '%ff'], ids=lambda id: f'{len(id)} {id[:3]}')
def test_ids_that_no_item_can_have(both_ask, id):
    for method, body in ('GET', None), ('PUT', {'name': 'x', 'description': 'y'}), ('DELETE', None):
        assert both_ask(method, '/items/' + id, body) == (404, MISSING)


@pytest.mark.parametrize('query, error', [
    *((f'limit={limit}', 'limit: expected an integer from 1 to 100') for limit in ('', '0', '101', '-1', 'x', '1.5', '%2B1', '%D9%A3', 5000 * '9', 'x&limit=1')),
    ('next=' + 2049 * 'x', 'next: expected at most 2048 bytes'), ('next=' + 1025 * '%C3%A9', 'next: expected at most 2048 bytes'),
], ids=lambda value: value[:20])
def test_bad_queries(both_ask, query, error):
    assert both_ask('GET', '/items?' + query) == (400, {'error': error})


@pytest.mark.parametrize('query', ['limit=1&limit=x', 'limit=007', 'next=', 'next=none', 'next=' + 2048 * 'x', 'other=1'])
def test_good_queries(both_ask, query):
    assert both_ask('GET', '/items?' + query)[0] == 200


@pytest.mark.parametrize('headers', [{}, bearer(token())], ids=['without a token', 'with one'])
@pytest.mark.parametrize('method, path, status, error, allow', [
    ('PATCH', '/items', 405, 'method not allowed', 'GET, POST'), ('OPTIONS', '/items', 405, 'method not allowed', 'GET, POST'),
    ('POST', '/items/1', 405, 'method not allowed', 'GET, PUT, DELETE'), ('GET', '/items//', 404, 'no such path', None),
])
def test_what_is_no_route_needs_no_token(both, method, path, status, error, allow, headers):
    answer = both(method, path, None, headers)
    assert (answer[0], answer[1]['Allow'], answer[2]) == (status, allow, {'error': error})


# ---- tokens ----

def made(claims=None, more=None, **head):
    """A token by hand, because PyJWT makes none that is wrong. claims and more: instead, and besides, the ordinary ones; text goes as it is."""
    parts = {'alg': 'HS256', **head}, claims or {'sub': 'ada', 'exp': FAR, **(more or {})}
    text = b'.'.join(base64url_encode((part if isinstance(part, str) else json.dumps(part)).encode()) for part in parts)
    return (text + b'.' + base64url_encode(hmac.digest(JWT_SECRET.encode(), text, 'sha256'))).decode()


def other_end(text):
    """The same bytes in base64url, with bits in the last character that belong to none."""
    letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return text[:-1] + letters[letters.index(text[-1]) + 1]


COME_IN = {
    'by PyJWT': lambda now: 'Bearer ' + token(), 'by hand': lambda now: 'Bearer ' + made(), 'small scheme': lambda now: 'bearer ' + made(),
    'two spaces': lambda now: 'Bearer  ' + made(), 'space at the end': lambda now: 'Bearer ' + made() + ' ', 'key id': lambda now: 'Bearer ' + made(kid='any'),
    'other header': lambda now: 'Bearer ' + made(typ='at+jwt', cty='x'), 'just expired': lambda now: 'Bearer ' + made(more={'exp': now - 5}),
    'fraction': lambda now: 'Bearer ' + made(more={'exp': FAR + 0.5}), 'in a moment': lambda now: 'Bearer ' + made(more={'nbf': now + 15, 'iat': now + 15}),
    'anyone': lambda now: 'Bearer ' + made({'exp': FAR}), 'audience': lambda now: 'Bearer ' + made(more={'aud': ['a'], 'iss': 'b', 'jti': 'c'}),
}
STAY_OUT = {
    'nothing': lambda now: '', 'no scheme': lambda now: token(), 'other scheme': lambda now: 'Basic ' + made(), 'tab': lambda now: 'Bearer\t' + made(),
    'no token': lambda now: 'Bearer', 'empty': lambda now: 'Bearer ', 'garbage': lambda now: 'Bearer a.b.c', 'two parts': lambda now: 'Bearer ' + made().rpartition('.')[0],
    'four parts': lambda now: 'Bearer ' + made() + '.x', 'other key': lambda now: 'Bearer ' + token('another secret, long enough for HS256 too'),
    'expired': lambda now: 'Bearer ' + made(more={'exp': now - 60}), 'not yet': lambda now: 'Bearer ' + made(more={'nbf': now + 3600}),
    'from the future': lambda now: 'Bearer ' + made(more={'iat': now + 3600}), 'no expiry': lambda now: 'Bearer ' + made({'sub': 'ada'}),
    'other algorithm': lambda now: 'Bearer ' + token(algorithm='HS512'), 'alg none': lambda now: 'Bearer ' + token(None, 'none'),
    'no alg': lambda now: 'Bearer ' + made(alg=None), 'list of algs': lambda now: 'Bearer ' + made(alg=['HS256']), 'small alg': lambda now: 'Bearer ' + made(alg='hs256'),
    'cut off': lambda now: 'Bearer ' + made()[:-2], 'padded': lambda now: 'Bearer ' + made() + '=', 'padded header': lambda now: 'Bearer ' + made().replace('.', '=.', 1),
    'bits at the end': lambda now: 'Bearer ' + other_end(made()), 'other letters': lambda now: 'Bearer ' + made() + 'é', 'space within': lambda now: 'Bearer ' + made().replace('.', ' .', 1),
    'critical header': lambda now: 'Bearer ' + made(crit=['unknown'], unknown=1), 'critical header that is known': lambda now: 'Bearer ' + made(crit=['exp'], exp=FAR),
    'no critical headers': lambda now: 'Bearer ' + made(crit=[]), 'crit null': lambda now: 'Bearer ' + made(crit=None),
    **{f'key id {value}': lambda now, value=value: 'Bearer ' + made(kid=value) for value in (1, [], {}, None, '')},
    **{f'{name} {value}': lambda now, name=name, value=value: 'Bearer ' + made(more={name: value})
       for name, values in {'exp': (str(FAR), None, [FAR], {}, True, -1), 'nbf': ('1', 'x', None, [1], False), 'iat': ('1', 'x', None, [1], True),
                            'sub': (1, None, {}), 'jti': (1, None, [])}.items() for value in values},
    **{f'exp {number[:9]}': lambda now, number=number: 'Bearer ' + made('{"exp":%s}' % number) for number in ('1e400', '-1e400', 'NaN', 'Infinity', 4400 * '9')},
    **{f'claims {claims[:9]}': lambda now, claims=claims: 'Bearer ' + made(claims) for claims in ('[1]', '"x"', 'x', '\ufeff{}', '{"exp":%d,"a":%s}' % (FAR, 1500 * '[' + 1500 * ']'))},
    'deep header': lambda now: f'Bearer {base64url_encode(2000 * b"[").decode()}.e30.eA', 'header is a list': lambda now: 'Bearer WzFd' + made()[made().index('.'):],
}


def at_the_door(both, value):
    status, headers, said = both('GET', '/items/none', None, {'Authorization': value.encode().decode('latin-1')})
    assert said == {401: UNAUTHORIZED, 404: MISSING}[status]
    assert headers['x-amzn-Remapped-WWW-Authenticate'] == (None if status == 404 else 'Bearer')
    return 'in' if status == 404 else 'out'


@pytest.mark.parametrize('name', COME_IN)
def test_who_may_come_in(both, name):
    assert at_the_door(both, COME_IN[name](int(time.time()))) == 'in'


@pytest.mark.parametrize('name', STAY_OUT)
def test_who_may_not_come_in(both, name):
    assert at_the_door(both, STAY_OUT[name](int(time.time()))) == 'out'


@pytest.mark.parametrize('values, status', [(('Bearer ' + token(), 'Bearer x'), 404), (('Bearer x', 'Bearer ' + token()), 401)])
def test_of_repeated_headers_the_first_counts(app, values, status):
    url = urllib.parse.urlsplit(app.url)
    connection = (http.client.HTTPSConnection if url.scheme == 'https' else http.client.HTTPConnection)(url.netloc, timeout=60)
    connection.putrequest('GET', url.path + '/items/none')
    for value in values:
        connection.putheader('Authorization', value)
    connection.endheaders()
    assert connection.getresponse().status == status
    connection.close()


def test_the_token_of_the_readme(both):
    lines = [line for line in (HERE / 'README.md').read_text().splitlines() if line.startswith(('    b64url()', '    part=', '    token='))]
    assert len(lines) == 3
    made = subprocess.run(['sh', '-euc', '\n'.join([*lines, 'printf %s "$token"'])], env={'PATH': '/usr/bin:/bin', 'JWT_SECRET': JWT_SECRET},
                          capture_output=True, text=True, check=True).stdout
    assert at_the_door(both, 'Bearer ' + made) == 'in'


@pytest.mark.parametrize('secret, where', [('é' * 16, 'in'), ('é' * 15 + 'x', None)], ids=['32 bytes', '31 bytes'])
def test_a_secret_is_measured_in_bytes(both, configured, secret, where):
    configured(JWT_SECRET=secret)
    if where:
        assert at_the_door(both, 'Bearer ' + token(secret)) == where
    else:
        assert both('GET', '/items/none')[0] == 502


RSA, OTHER_RSA, EC = (rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1()))
SHORT_RSA, EC_384 = rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP384R1())
RSA_PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public(key, id, **more):
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), **({'kid': id} if id else {}), **more}


ONE, TWO = public(RSA, 'one', use='sig'), public(EC, 'two', alg='ES256')
# Keys of a set that are for something else, or too weak: as if they were not there.
PASSED_OVER = [public(RSA, 'enc', use='enc'), public(RSA, 'other', alg='RS512'), public(RSA, 'ops', key_ops=['encrypt']), public(SHORT_RSA, 'short'),
               public(EC_384, 'wide'), {'kty': 'oct', 'kid': 'oct', 'k': base64url_encode(JWT_SECRET.encode()).decode()}, {'kty': 'XYZ', 'kid': 'xyz'},
               {**ONE, 'kid': 'broken', 'n': '!!!'}]


def hmac_with_public_key():
    """A token whose "secret" is the public key of the set: what a verifier that believes the header would take."""
    head, body = (jwt.utils.base64url_encode(json.dumps(part).encode())
                  for part in ({'alg': 'HS256', 'kid': 'one'}, {'sub': 'eve', 'exp': FAR}))
    return b'.'.join([head, body, jwt.utils.base64url_encode(jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(head + b'.' + body, RSA_PEM))]).decode()


def rs256(id, key=RSA, **claims):
    return token(key, 'RS256', {'kid': id} if id is not None else None, **claims)


SEVERAL = [ONE, TWO, *PASSED_OVER]
KEY_SETS = {
    'in': [(SEVERAL, lambda: rs256('one')), (SEVERAL, lambda: token(EC, 'ES256', {'kid': 'two'})), ([ONE, *PASSED_OVER], lambda: rs256(None)),
           ([public(RSA, None)], lambda: rs256(None)), ([ONE, {**TWO, 'kid': 'one'}], lambda: rs256('one')),
           ([ONE, {**TWO, 'kid': 'one'}], lambda: token(EC, 'ES256', {'kid': 'one'}))],
    'out': [(SEVERAL, lambda: rs256('two')), (SEVERAL, lambda: rs256('three')), (SEVERAL, lambda: rs256('')), (SEVERAL, lambda: rs256(None)),
            (SEVERAL, lambda: rs256('one', OTHER_RSA)), (SEVERAL, lambda: token(RSA, 'RS512', {'kid': 'one'})), (SEVERAL, lambda: token()),
            (SEVERAL, hmac_with_public_key), (SEVERAL, lambda: rs256('one', exp=1)), (SEVERAL, lambda: rs256('enc')), (SEVERAL, lambda: rs256('ops')),
            (SEVERAL, lambda: rs256('other')), (SEVERAL, lambda: token(RSA, 'RS512', {'kid': 'other'})), (SEVERAL, lambda: rs256('short', SHORT_RSA)),
            (SEVERAL, lambda: token(EC_384, 'ES384', {'kid': 'wide'})), (SEVERAL, lambda: token(headers={'kid': 'oct'})), (SEVERAL, lambda: rs256('broken')),
            ([public(RSA, None)], lambda: rs256('any')), ([public(RSA, None)], lambda: rs256(''))],
}


def test_tokens_of_a_key_set(both, configured):
    now = None
    for where, rows in KEY_SETS.items():
        for number, (keys, make) in enumerate(rows):
            if keys is not now:
                configured(JWT_SECRET=None, JWT_JWKS=json.dumps({'keys': keys}))
                now = keys
            assert at_the_door(both, 'Bearer ' + make()) == where, (where, number)


def test_a_set_without_a_key_for_signatures(both, configured):
    configured(JWT_JWKS=json.dumps({'keys': PASSED_OVER}))
    assert both('GET', '/items/none')[0] == 502


def test_a_key_set_is_deployed_as_it_is_printed(server, both, configured):
    keys = {'keys': [{**ONE, 'note': 'a "quoted" \\ text'}, TWO]}
    done = subprocess.run([HERE / 'deploy.sh', 'c'], capture_output=True, text=True, env={**server.client_env(), 'JWT_JWKS': json.dumps(keys, indent='\t')})
    assert done.returncode == 0, done.stderr
    variables = server.client('lambda').get_function_configuration(FunctionName='items-c')['Environment']['Variables']
    assert json.loads(variables['JWT_JWKS']) == keys and 'JWT_SECRET' not in variables


# ---- when DynamoDB fails ----

ITEM = {'name': 'n', 'description': 'd'}
CALLS = [('GET', '/items', None, 'Scan'), ('GET', '/items/1', None, 'GetItem'), ('POST', '/items', {'id': '1', **ITEM}, 'PutItem'),
         ('PUT', '/items/1', ITEM, 'PutItem'), ('DELETE', '/items/1', None, 'DeleteItem')]


def test_a_table_that_is_not_theirs(both_ask, configured, failures_are_said):
    configured(TABLE_NAME='not-theirs')
    failures_are_said(both_ask, 'not-theirs', CALLS)


def test_dynamodb_that_nobody_serves(both_ask, configured, failures_are_said):
    configured(AWS_ENDPOINT_URL_DYNAMODB='http://127.0.0.1:1')
    failures_are_said(both_ask, 'items', CALLS[:1])


def test_log_level(both_ask, log_level_counts):
    log_level_counts(lambda: both_ask('GET', '/items/1'))


@pytest.mark.parametrize('name, text', [('TABLE_NAME', 'environment variable TABLE_NAME is missing'), ('JWT_SECRET', 'JWT_SECRET or JWT_JWKS must be set')])
def test_missing_variables(both, a_missing_variable_is_named, name, text):
    a_missing_variable_is_named(lambda: both('GET', '/items'), name, text)
