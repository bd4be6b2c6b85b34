"""The purchase orders from outside: their life, exact amounts, what is refused, the description."""
import copy
import json
import uuid

import harness
import pytest
from selenium.webdriver.common.by import By


@pytest.fixture
def order(app):
    order = {'order_number': f'PO{uuid.uuid4().hex[:12]}', 'customer_id': '123', 'total': '120.3',
             'items': [{'item_number': '101', 'qty': 10, 'price': '12.03'}, {'item_number': '102', 'qty': 1, 'price': '0'}],
             'payment_id': str(uuid.uuid4())}
    made = app.ask('POST', '/orders', order)
    assert (made.status, made.json) == (201, order)
    return order


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


@pytest.mark.parametrize('given, kept', [
    ('12', '12'), (12, '12'), ('0.1', '0.1'), (0.25, '0.25'), ('12345678901234567890.123456789012345678', '12345678901234567890.123456789012345678'),
    ('-3.5', '-3.5'), ('12.50', '12.5'),
])
def test_amounts_are_exact(app, order, given, kept):
    at = f'/orders/{order["order_number"]}'
    app.ask('PUT', at, {'customer_id': '1', 'items': [{'item_number': '1', 'qty': 1, 'price': given}], 'total': given})
    read = app.ask('GET', at).json
    assert read['total'] == read['items'][0]['price'] == kept


WRONG = {               # path -> value there
    'customer_id': [None, '', 'x' * 65, 5], 'items': [None, [], {}], 'items.0.qty': [0, -1, 1.5, 'many', 1000001, True],
    'items.1.price': ['cheap', None, True, ''], 'items.0.item_number': ['', None], 'total': ['1,5', '1' * 39], 'items.1.colour': ['red'], 'colour': ['red'],
}


@pytest.mark.parametrize('path, value', [(path, value) for path, values in WRONG.items() for value in values])
def test_errors_name_the_path(app, order, path, value):
    wrong = copy.deepcopy({**order, 'order_number': 'never-made'})
    *parents, last = path.split('.')
    at = wrong
    for part in parents:
        at = at[int(part) if part.isdigit() else part]
    at[last] = value
    answer = app.ask('POST', '/orders', wrong)
    assert answer.status == 400 and answer.json['error'].startswith(f'{path}: ')
    assert app.ask('GET', '/orders/never-made').status == 404


def test_missing_members(app, order):
    for name in ('order_number', 'customer_id', 'items', 'total'):
        answer = app.ask('POST', '/orders', {k: v for k, v in order.items() if k != name})
        assert answer.status == 400 and answer.json['error'].startswith(f'{name}: ')


@pytest.mark.parametrize('body', ['', '{', '[1]', '"x"'])
def test_bodies_that_are_no_object(app, body):
    answer = app.ask('POST', '/orders', body)
    assert answer.status == 400 and answer.json['error']


def test_the_description_and_its_page(app):
    described = app.ask('GET', '/openapi.json')
    assert described.headers['Content-Type'] == 'application/json' and described.json['openapi'].startswith('3.')
    assert set(described.json['paths']) == {'/orders', '/orders/{order_number}'}
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


def test_unknown_paths_and_methods(app):
    assert app.ask('GET', '/nothing').status == 404
    assert app.ask('PATCH', '/orders', {}).status == 405
