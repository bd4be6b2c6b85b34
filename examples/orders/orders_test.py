"""The purchase orders from outside: their life, exact amounts, what is refused, the description."""
import copy
import json
import os
import subprocess
import uuid

import harness
import pytest
from selenium.webdriver.common.by import By

HERE = os.path.dirname(os.path.abspath(__file__))
LINE = {'item_number': '101', 'qty': 10, 'price': '12.03'}
ORDER = {'order_number': 'never-made', 'customer_id': '123', 'items': [LINE], 'total': '120.3'}
FIELDS = {name: value for name, value in ORDER.items() if name != 'order_number'}


@pytest.fixture
def order(app):
    order = {'order_number': f'PO{uuid.uuid4().hex[:12]}', 'customer_id': '123', 'total': '120.3',
             'items': [{'item_number': '101', 'qty': 10, 'price': '12.03'}, {'item_number': '102', 'qty': 1, 'price': '0'}],
             'payment_id': str(uuid.uuid4())}
    made = app.ask('POST', '/orders', order)
    assert (made.status, made.json) == (201, order)
    yield order
    app.ask('DELETE', f'/orders/{order["order_number"]}')


def test_an_order_lives(app, order):
    at = f'/orders/{order["order_number"]}'
    read = app.ask('GET', at)
    assert (read.status, read.json, read.headers['Content-Type']) == (200, order, 'application/json')
    fields = {'customer_id': '456', 'items': order['items'][:1], 'total': '1'}
    changed = app.ask('PUT', at, fields)
    assert (changed.status, changed.json) == (200, {'order_number': order['order_number'], **fields})
    assert app.ask('GET', at).json == changed.json
    again = app.ask('POST', '/orders', order)
    assert (again.status, again.json) == (409, {'error': 'There is an order of this number.'})
    listed = app.ask('GET', '/orders?limit=100').json
    assert changed.json in listed['orders']
    gone = app.ask('DELETE', at)
    assert (gone.status, gone.body) == (204, b'')
    for method, body in (('GET', None), ('PUT', fields), ('DELETE', None)):
        missing = app.ask(method, at, body)
        assert (missing.status, missing.json) == (404, {'error': 'There is no such order.'})


DIGITS = '12345678901234567890.123456789012345678'
AMOUNTS = {             # JSON text given -> what all answers say
    '"12"': '12', '12': '12', '"0.1"': '0.1', '0.25': '0.25', f'"{DIGITS}"': DIGITS, DIGITS: DIGITS, '-3.5': '-3.5', '"12.50"': '12.5', '12.50': '12.5',
    '"1e5"': '100000', '1E+5': '100000', '1.5e-3': '0.0015', '"-0.00"': '0', '-0': '0', '0e400': '0', '1' * 38: '1' * 38, '1e38': '1' + '0' * 38,
    '9.9e125': '99' + '0' * 124, '-1e-130': '-0.' + '0' * 129 + '1', '1.' + '0' * 50: '1', '1' + '0' * 60: '1' + '0' * 60,
}


@pytest.mark.parametrize('given, kept', AMOUNTS.items())
def test_amounts_are_exact(app, order, given, kept):
    """Of POST, PUT and GET."""
    body = json.dumps({**order, 'order_number': f'PO{uuid.uuid4().hex}', 'total': 'AMOUNT', 'items': [{**LINE, 'price': 'AMOUNT'}]}).replace('"AMOUNT"', given)
    made = app.ask('POST', '/orders', body)
    at = f'/orders/{made.json["order_number"]}'
    changed = app.ask('PUT', at, json.dumps({**FIELDS, 'total': 'AMOUNT', 'items': [{**LINE, 'price': 'AMOUNT'}]}).replace('"AMOUNT"', given))
    assert (made.status, changed.status) == (201, 200)
    for answer in made.json, changed.json, app.ask('GET', at).json:
        assert answer['total'] == answer['items'][0]['price'] == kept


@pytest.mark.parametrize('given, kept', [('1.0', 1), ('1e2', 100), ('10.00', 10), ('1000000', 1000000)])
def test_a_quantity_is_an_integer_by_value(app, order, given, kept):
    body = json.dumps({**FIELDS, 'items': [{**LINE, 'qty': 'QTY'}]}).replace('"QTY"', given)
    assert app.ask('PUT', f'/orders/{order["order_number"]}', body).json['items'] == [{**LINE, 'qty': kept}]


@pytest.mark.parametrize('value', ['', None])
def test_no_payment_id(both, value):
    order = {**ORDER, 'order_number': f'PO{uuid.uuid4().hex}-LANG', 'payment_id': 'paid'}
    assert both('POST', '/orders', order)[2]['payment_id'] == 'paid'
    at = f'/orders/{order["order_number"]}'
    assert 'payment_id' not in both('PUT', at, {**FIELDS, 'payment_id': value})[2] and 'payment_id' not in both('GET', at)[2]


@pytest.mark.parametrize('number', ['2026/001', 'a b', 'é%41', '..', '/', 'x' * 62, '😀' * 62])
def test_any_order_number(both, number):
    order, at = {**ORDER, 'order_number': f'LANG{number}'}, '/orders/LANG' + ''.join(f'%{byte:02X}' for byte in number.encode())
    assert both('POST', '/orders', order)[::2] == (201, order) and both('GET', at)[::2] == (200, order)
    assert both('PUT', at, FIELDS)[::2] == (200, order) and both('DELETE', at)[0] == 204


TEXT, AMOUNT, QTY = 'expected a string of 1 to 64 characters', 'expected a decimal number of at most 38 digits', 'expected an integer from 1 to 1000000'
LIST = 'expected a list of 1 to 500 elements'
WRONG = {               # path -> (JSON text there, what is said)
    'customer_id': [('null', 'required'), ('""', TEXT), (json.dumps('x' * 65), TEXT), ('5', TEXT), ('true', TEXT), ('["x"]', TEXT)],
    'payment_id': [('5', 'expected a string of 0 to 64 characters'), (json.dumps('x' * 65), 'expected a string of 0 to 64 characters')],
    'items': [('null', 'required'), ('[]', LIST), ('{}', LIST), (json.dumps([LINE] * 501), LIST)],
    'items.0': [('null', 'expected an object'), ('1', 'expected an object'), ('[]', 'expected an object')],
    'items.0.qty': [(text, QTY) for text in ('0', '-1', '-0', '1.5', '"10"', '1000001', 'true', '1e400', '1' * 5000)] + [('null', 'required')],
    'items.0.price': [('null', 'required'), ('"cheap"', AMOUNT)],
    'items.0.item_number': [('""', TEXT), ('null', 'required')],
    'items.0.colour': [('"red"', 'unknown member')], 'colour': [('"red"', 'unknown member')],
    'total': [(text, AMOUNT) for text in (
        '"1,5"', '""', 'true', '[]', '{}', '"012"', '".5"', '"12."', '"+1"', '" 1"', '"1_000"', '"0x10"', '"NaN"', '"Infinity"', '"\\u0663"', '1' * 39,
        '0.' + '1' * 39, '1e126', '"1e126"', '1e-131', '1e99999999999999999999', '"1e-99999999999999999999"', '1' * 5000)],
}


@pytest.mark.parametrize('path, text, why', [(path, text, why) for path, rows in WRONG.items() for text, why in rows])
def test_errors_name_the_path(both, path, text, why):
    wrong = copy.deepcopy(ORDER)
    *parents, last = path.split('.')
    at = wrong
    for part in parents:
        at = at[int(part) if part.isdigit() else part]
    at[int(last) if last.isdigit() else last] = 'HERE'
    body = json.dumps(wrong).replace('"HERE"', text)
    assert both('POST', '/orders', body)[::2] == (400, {'error': f'{path}: {why}'})
    assert both('GET', '/orders/never-made')[0] == 404


def test_missing_and_other_members(both):
    for name in ORDER:
        assert both('POST', '/orders', {k: v for k, v in ORDER.items() if k != name})[::2] == (400, {'error': f'{name}: required'})
    assert both('POST', '/orders', {**ORDER, 'x' * 100: 1})[2] == {'error': 'x' * 64 + ': unknown member'}
    assert both('POST', '/orders', {**ORDER, 'é' * 40: 1})[2] == {'error': 'é' * 32 + ': unknown member'}
    assert both('POST', '/orders', {**ORDER, 'a\n\x7f': 1})[2] == {'error': 'a\\u000a\\u007f: unknown member'}
    assert both('POST', '/orders', {})[2] == {'error': 'order_number: required'}            # the first of all
    assert both('POST', '/orders', {**ORDER, 'customer_id': '', 'total': ''})[2] == {'error': f'customer_id: {TEXT}'}


NO_JSON = {             # body -> the wrong byte
    '{': 1, 'hello': 0, '[1,]': 3, '{"a" 1}': 5, ' ': 1, '{"order_number": "é", x': 23, '{"order_number":"\\ud800"}': 17,
    '{"a":"\\\\ud800\\ud83d\\ude00","b":"\\udc00"}': 32,
    '{} x': 3, '\ufeff{}': 0, '{"a":"\t"}': 6, '{"a":01}': 6,
}


@pytest.mark.parametrize('body, where', NO_JSON.items())
def test_bodies_that_are_no_json(both, body, where):
    assert both('POST', '/orders', body)[::2] == (400, {'error': f'body: no valid JSON at byte {where}'})


@pytest.mark.parametrize('body', ['', '[1]', '"x"', 'null'])
def test_bodies_that_are_no_object(both, body):
    assert both('POST', '/orders', body)[::2] == (400, {'error': 'body: expected a JSON object'})


@pytest.mark.parametrize('body', ['{"total":NaN}', '[' * 129, '[' * 100000, json.dumps({**ORDER, 'z': 0}).replace('0}', '[' * 900 + ']' * 900 + '}')],
                         ids=['NaN', 'deep', 'very deep', 'closed'])
def test_other_bodies_are_refused(app, body):
    answer = app.ask('POST', '/orders', body)
    assert answer.status == 400 and (answer.json['error'].startswith('body: ') or 'unknown member' in answer.json['error'])


def test_large_bodies(both):
    """Of small values, which take much more memory than text."""
    for size in 1_000_001, 5_000_000:
        body = '[' + '0,' * (size // 2 - 1) + '0]'
        assert both('POST', '/orders', body.ljust(size))[::2] == (400, {'error': 'body: expected at most 1000000 bytes'})
    assert both('POST', '/orders', '[' + '0,' * 499998 + '0]')[2] == {'error': 'body: expected a JSON object'}
    most = {**ORDER, 'order_number': f'PO{uuid.uuid4().hex}-LANG', 'items': [{'item_number': '😀' * 64, 'qty': 1000000, 'price': '1' * 38}] * 500}
    assert both('POST', '/orders', most)[2] == most
    assert both('DELETE', f'/orders/{most["order_number"]}')[0] == 204


@pytest.mark.parametrize('content_type', ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x', 'application/json; charset=utf-8'])
def test_a_body_is_json_whatever_its_type(both, content_type):
    order = {**ORDER, 'order_number': f'PO{uuid.uuid4().hex}-LANG'}
    assert both('POST', '/orders', order, {'Content-Type': content_type})[::2] == (201, order)


@pytest.mark.parametrize('number', ['x' * 65, 'x' * 2048, 'x' * 2049, 'x' * 7000, '%C3%A9' * 1025])
def test_an_order_number_that_none_has(both, number):
    for method, body in (('GET', None), ('PUT', FIELDS), ('DELETE', None)):
        assert both(method, f'/orders/{number}', body)[::2] == (404, {'error': 'There is no such order.'})


LIMIT = 'limit: expected an integer from 1 to 100'


@pytest.mark.parametrize('query, why', [
    *((f'limit={text}', LIMIT) for text in ('0', '', '101', '-1', '%2B1', '1.0', '1e1', '%201', '1_0', 'x', '9' * 30, '%D9%A3')),
    ('limit=x&limit=1', LIMIT), ('limit=0&limit=1', LIMIT),
    ('next=' + 'x' * 2049, 'next: expected at most 2048 bytes'), ('next=' + '%C3%A9' * 1025, 'next: expected at most 2048 bytes'),
])
def test_parameters_that_are_wrong(both, query, why):
    assert both('GET', '/orders?' + query)[::2] == (400, {'error': why})


def test_of_repeated_parameters_the_first_counts(both, order):
    assert len(both('GET', '/orders?limit=1&limit=x&next=&next=' + 'x' * 2049)[2]['orders']) == 1


def test_pages(both, order):
    """A page ends where the next one begins."""
    def pages(limit):
        found = [both('GET', f'/orders?limit={limit}')[2]]
        while 'next' in found[-1]:
            found.append(both('GET', f'/orders?limit={limit}&next={found[-1]["next"]}')[2])
        return found
    whole, single = ([order for page in found for order in page['orders']] for found in (pages(100), pages('01')))
    assert single == whole and order in whole


def test_log_level(both, log_level_counts):
    log_level_counts(lambda: both('GET', '/orders/1'))


def test_missing_variables(both, a_missing_variable_is_named):
    a_missing_variable_is_named(lambda: both('GET', '/orders'), 'TABLE_NAME', 'environment variable TABLE_NAME is missing')


def test_the_description_and_its_page(app):
    described = app.ask('GET', '/openapi.json')
    assert described.headers['Content-Type'] == 'application/json' and described.json['openapi'].startswith('3.')
    assert described.json['servers'] == [{'url': '.'}] and set(described.json['paths']) == {'/orders', '/orders/{order_number}'}
    page = app.ask('GET', '/docs')
    assert page.status == 200 and page.headers['Content-Type'].startswith('text/html') and 'http' not in page.text.replace('http-equiv', '')
    refs = [ref for ref in json.dumps(described.json).split('"') if ref.startswith('#/components/schemas/')]
    assert {ref.rpartition('/')[2] for ref in refs} <= set(described.json['components']['schemas'])


def test_the_page_in_a_browser(app, page):
    page = page('/docs')
    harness.until(lambda: page.find_elements(By.CSS_SELECTOR, 'details'), 'the page shows the operations')
    described = app.ask('GET', '/openapi.json').json
    shown = {tuple(summary.find_element(By.CSS_SELECTOR, part).text for part in ('b', 'code')): summary
             for summary in page.find_elements(By.CSS_SELECTOR, 'summary')}
    assert set(shown) == {(method.upper(), path) for path, item in described['paths'].items() for method in item if method != 'parameters'}
    shown['POST', '/orders'].click()
    create = shown['POST', '/orders'].find_element(By.XPATH, '..')
    body = create.find_element(By.CSS_SELECTOR, 'textarea')
    order = {**json.loads(body.get_property('value')), 'order_number': f'PO{uuid.uuid4().hex[:12]}'}
    body.clear()
    body.send_keys(json.dumps(order))
    create.find_element(By.CSS_SELECTOR, 'button').click()
    said = create.find_element(By.CSS_SELECTOR, 'pre')
    harness.until(lambda: said.text, 'the answer is shown')
    assert said.text.startswith('201') and app.ask('GET', f'/orders/{order["order_number"]}').json == order, said.text
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded and all(name.startswith(app.url) for name in loaded)


@pytest.mark.parametrize('path, file, content_type', [('/docs', 'docs.html', 'text/html; charset=utf-8'), ('/openapi.json', 'openapi.json', 'application/json')])
def test_the_page_and_the_description_come_whole(app, path, file, content_type):
    """Also to who asks for a part, or has a version of it."""
    part = {'Range': 'bytes=0-9', 'If-None-Match': '*', 'If-Modified-Since': 'Sat, 01 Jan 2033 00:00:00 GMT'}
    with open(os.path.join(HERE, file)) as whole:
        text = whole.read()
    for answer in app.ask('GET', path), app.ask('GET', path, headers=part), app.ask('GET', path + '/'):
        assert (answer.status, answer.headers['Content-Type'], answer.headers['ETag'], answer.text) == (200, content_type, None, text)


@pytest.mark.parametrize('method, path, status, allow', [
    ('GET', '/nothing', 404, None), ('GET', '/orders/x/y', 404, None), ('GET', '/redoc', 404, None), ('GET', '/Orders', 404, None), ('GET', '/orders//', 404, None),
    ('PATCH', '/orders', 405, 'GET, POST'), ('DELETE', '/orders/', 405, 'GET, POST'), ('POST', '/orders/x', 405, 'GET, PUT, DELETE'), ('PUT', '/docs', 405, 'GET'),
    ('OPTIONS', '/orders', 405, 'GET, POST'),
])
def test_unknown_paths_and_methods(both, method, path, status, allow):
    got, headers, body = both(method, path, {} if method == 'PATCH' else None)
    assert (got, headers['Allow'], body) == (status, allow, {'error': 'no such path' if status == 404 else 'method not allowed'})


def test_a_slash_at_the_end_does_not_count(both, order):
    for path in '/orders', f'/orders/{order["order_number"]}':
        assert both('GET', path + '/') == both('GET', path)
    assert both('HEAD', '/orders')[0] == 200 and both('HEAD', '/orders/none')[0] == 404


@pytest.mark.parametrize('variables, table', [
    ({'TABLE_NAME': 'another-table'}, 'another-table'), ({'AWS_ENDPOINT_URL_DYNAMODB': 'http://127.0.0.1:1'}, 'purchase_order'),
], ids=['access denied', 'unreachable'])
def test_dynamodb_failing(both, configured, failures_are_said, variables, table):
    configured(**variables)
    calls = [('GET', '/orders/x', None, 'GetItem'), ('PUT', '/orders/x', FIELDS, 'UpdateItem'), ('GET', '/orders', None, 'Scan')]
    failures_are_said(lambda *call: both(*call)[::2], table, calls)


def http_event(stage, method, path, body=None):
    """Of format 2.0."""
    words = [harness.BINARY, 'event', 'http-api-proxy', '--stage', stage, '--method', method, '--path', path, *(['--body', json.dumps(body)] if body else [])]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif('APP_URL' in os.environ, reason='needs the table of a server of its own')
@pytest.mark.parametrize('stage', ['$default', 'prod'])
def test_the_same_binary_on_an_http_api(server, deployed, stage):
    deployed('orders', 'c')
    bootstrap = harness.bootstrap('orders')
    order = {**ORDER, 'order_number': f'PO{uuid.uuid4().hex}', 'total': '120.30'}
    at = f'/orders/{order["order_number"]}'
    asked = [('GET', '/docs', None), ('POST', '/orders', order), ('GET', at, None), ('PATCH', at, None), ('DELETE', at, None), ('GET', at + '/x', None)]
    run = subprocess.run([harness.BINARY, 'run', bootstrap], input=''.join(http_event(stage, *one) for one in asked), capture_output=True, text=True,
                         env={**server.client_env(), 'AWS_REGION': harness.REGION, 'TABLE_NAME': 'purchase_order', 'LAMBDA_TASK_ROOT': HERE})
    page, made, read, patched, gone, nothing = map(json.loads, run.stdout.splitlines())
    assert page['statusCode'] == 200 and page['headers']['Content-Type'].startswith('text/html') and '<html' in page['body']
    assert (made['statusCode'], read['statusCode']) == (201, 200) and json.loads(made['body']) == json.loads(read['body']) == {**order, 'total': '120.3'}
    assert (patched['statusCode'], patched['headers']['Allow'], gone['statusCode'], nothing['statusCode']) == (405, 'GET, PUT, DELETE', 204, 404)
