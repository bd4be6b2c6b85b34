"""The items from outside: who may come in, their life, what is refused."""
import json
import time
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from conftest import JWT_SECRET

NOW = int(time.time())


def token(secret=JWT_SECRET, algorithm='HS256', headers=None, **claims):
    return jwt.encode({'sub': 'ada', 'exp': NOW + 3600, **claims}, secret, algorithm=algorithm, headers=headers)


def bearer(value):
    return {'Authorization': f'Bearer {value}'}


@pytest.fixture
def ask(app):
    return lambda method, path, body=None: app.ask(method, path, body, bearer(token()))


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


@pytest.mark.parametrize('limit', ['0', '101', '-1', 'x', '1.5'])
def test_bad_limits(ask, limit):
    answer = ask('GET', f'/items?limit={limit}')
    assert (answer.status, answer.json) == (400, {'error': 'limit: expected an integer from 1 to 100'})


TEXT = 'expected a string of'


@pytest.mark.parametrize('body, error', [
    ('', 'body: expected a JSON object'), ('{"id" "x"}', 'body: no valid JSON at byte 6'), ('[]', 'expected a JSON object'),
    ({}, 'id: required'), ({'id': None, 'name': 'n', 'description': 'd'}, 'id: required'), ({'id': 'i', 'description': 'd'}, 'name: required'),
    ({'id': '', 'name': 'n', 'description': 'd'}, f'id: {TEXT} 1 to 64 characters'), ({'id': 'x' * 65, 'name': 'n', 'description': 'd'}, f'id: {TEXT} 1 to 64 characters'),
    ({'id': 'i', 'name': 1, 'description': 'd'}, f'name: {TEXT} 1 to 200 characters'),
    ({'id': 'i', 'name': 'n', 'description': 'd', 'more': 1}, 'more: unknown member'),
], ids=str)
def test_bad_bodies(ask, body, error):
    answer = ask('POST', '/items', body)
    assert (answer.status, answer.json) == (400, {'error': error})


@pytest.mark.parametrize('headers', [
    {}, {'Authorization': token()}, bearer(''), bearer('a.b.c'), bearer(token('another secret, long enough for HS256 too')),
    bearer(token(exp=NOW - 3600)), bearer(token(nbf=NOW + 3600)), bearer(token(algorithm='HS512')), bearer(token(None, 'none')),
    bearer(token()[:-2]), bearer(jwt.encode({'sub': 'no expiry'}, JWT_SECRET)),
], ids=['none', 'no scheme', 'empty', 'garbage', 'other key', 'expired', 'not yet', 'other algorithm', 'alg none', 'cut off', 'no expiry'])
def test_who_may_not_come_in(app, headers):
    answer = app.ask('GET', '/items', headers=headers)
    assert (answer.status, answer.json, answer.headers['WWW-Authenticate']) == (401, {'error': 'Unauthorized'}, 'Bearer') or \
           (answer.status, answer.json, answer.headers['x-amzn-Remapped-WWW-Authenticate']) == (401, {'error': 'Unauthorized'}, 'Bearer')


def test_methods(app):
    assert app.ask('PATCH', '/items', {}, bearer(token())).status == 405


RSA, OTHER_RSA, EC = (rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1()))
RSA_PEM = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def public(algorithm, key, id):
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), 'kid': id, 'use': 'sig'}


@pytest.fixture(scope='module')
def with_key_set(app, server):
    """The application with a key set in place of its secret, for the last tests of the module."""
    if server is None:
        pytest.skip('the configuration of a deployment elsewhere stays as it is')
    function, client = {'c': 'items-c', 'python': 'items'}[app.language], server.client('lambda')
    keys = [public(jwt.algorithms.RSAAlgorithm, RSA, 'one'), public(jwt.algorithms.ECAlgorithm, EC, 'two')]

    def configure(**variables):
        client.update_function_configuration(FunctionName=function, Environment={'Variables': {'TABLE_NAME': 'items', **variables}})
        client.get_waiter('function_updated_v2').wait(FunctionName=function)
    configure(JWT_JWKS=json.dumps({'keys': keys}))
    yield app
    configure(JWT_SECRET=JWT_SECRET)


def hmac_with_public_key():
    """A token whose "secret" is the public key of the set: what a verifier that believes the header would take."""
    head, body = (jwt.utils.base64url_encode(json.dumps(part).encode())
                  for part in ({'alg': 'HS256', 'kid': 'one'}, {'sub': 'eve', 'exp': NOW + 3600}))
    return b'.'.join([head, body, jwt.utils.base64url_encode(jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(head + b'.' + body, RSA_PEM))]).decode()


@pytest.mark.parametrize('made, status', [
    (lambda: token(RSA, 'RS256', {'kid': 'one'}), 200), (lambda: token(EC, 'ES256', {'kid': 'two'}), 200),
    (lambda: token(RSA, 'RS256', {'kid': 'two'}), 401), (lambda: token(RSA, 'RS256', {'kid': 'three'}), 401), (lambda: token(RSA, 'RS256'), 401),
    (lambda: token(OTHER_RSA, 'RS256', {'kid': 'one'}), 401), (lambda: token(RSA, 'RS512', {'kid': 'one'}), 401),
    (lambda: token(), 401), (hmac_with_public_key, 401), (lambda: token(RSA, 'RS256', {'kid': 'one'}, exp=NOW - 3600), 401),
], ids=['RS256', 'ES256', 'key of another type', 'unknown key', 'which key', 'other key', 'other algorithm', 'the secret', 'confusion', 'expired'])
def test_tokens_of_a_key_set(with_key_set, made, status):
    assert with_key_set.ask('GET', '/items', headers=bearer(made())).status == status
