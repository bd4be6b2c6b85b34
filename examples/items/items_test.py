"""The items from outside: who may come in, their life, what is refused."""
import time
import uuid

import jwt
import pytest

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
    ('', 'body: expected JSON'), ('{', 'body: expected JSON'), ('[]', 'body: expected an object'),
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
