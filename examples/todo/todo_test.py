"""The todo list from outside: its life, its page, what it refuses, what it answers when DynamoDB fails."""
import json
import pathlib
import subprocess
import urllib.parse
import uuid

import harness
import pytest
from selenium.webdriver.common.by import By

ANY_ORIGIN = ('Access-Control-Allow-Origin', '*')
MISSING = {'error': 'There is no such todo.'}
MADE = ('id', 'createdAt', 'updatedAt')
HERE = pathlib.Path(__file__).parent


@pytest.fixture
def table(server, functions):
    return server.resource('dynamodb').Table('todo-items')


def everything(ask, limit=None):
    """All todos, by the pages of the list; each page is in order."""
    found, next = [], None
    while True:
        query = urllib.parse.urlencode({k: v for k, v in {'limit': limit, 'next': next}.items() if v})
        page = ask('GET', f'/todos?{query}')
        assert page.status == 200 and page.json['count'] == len(page.json['items']) <= (limit or 100)
        assert page.json['items'] == sorted(page.json['items'], key=lambda item: (item['createdAt'], item['id']))
        found += page.json['items']
        next = page.json.get('next')
        if next is None:
            return found


@pytest.fixture
def todo(app):
    made = app.ask('POST', '/todos', {'title': 'a title', 'description': 'with <b>markup</b> & "quotes" é'})
    assert made.status == 201 and ANY_ORIGIN in made.headers.items()
    return made.json


def test_a_todo_lives(app, todo):
    assert set(todo) == {'id', 'title', 'description', 'completed', 'createdAt', 'updatedAt'}
    assert uuid.UUID(todo['id']).version == 4 and todo['completed'] is False and todo['createdAt'] == todo['updatedAt']
    at = f'/todos/{todo["id"]}'
    read = app.ask('GET', at)
    assert read.status == 200 and read.json == todo and read.headers['Content-Type'] == 'application/json'
    done = app.ask('PUT', at, {'completed': True})
    assert done.status == 200 and done.json == {**todo, 'completed': True, 'updatedAt': done.json['updatedAt']}
    assert app.ask('PUT', at, {'title': 'another', 'description': ''}).json['title'] == 'another'
    listed = everything(app.ask)
    assert [item for item in listed if item['id'] == todo['id']] == [app.ask('GET', at).json]
    gone = app.ask('DELETE', at)
    assert gone.status == 200 and gone.json == {'message': 'The todo is gone.'}
    for method, body in (('GET', None), ('PUT', {'completed': True}), ('DELETE', None)):
        missing = app.ask(method, at, body)
        assert missing.status == 404 and missing.json == MISSING and ANY_ORIGIN in missing.headers.items()


@pytest.mark.parametrize('body, error', [
    ('', 'body: expected a JSON object'), ('{"title":', 'body: no valid JSON at byte 9'), ('{"titlé" "x"}', 'body: no valid JSON at byte 10'),
    ('[1]', 'body: expected a JSON object'), ('"text"', 'body: expected a JSON object'), ('null', 'body: expected a JSON object'),
    ({'title': ''}, 'title: expected a string of 1 to 200 characters'), ({'title': 'é' * 201}, 'title: expected a string of 1 to 200 characters'),
    ({'title': 7}, 'title: expected a string of 1 to 200 characters'), ({'title': 'x', 'completed': 'yes'}, 'completed: expected true or false'),
    ('{"title":"x","completed":' + 5000 * '9' + '}', 'completed: expected true or false'), ('{"title":"x","more":' + 5000 * '9' + '}', 'more: unknown member'),
    ({'title': 'x', 'colour': 'red'}, 'colour: unknown member'), ({'title': 'x', 65 * 'm': 1}, 64 * 'm' + ': unknown member'),
    ({'title': 'x', 33 * 'é': 1}, 32 * 'é' + ': unknown member'), ({'title': 'x', 'a\n\x7f': 1}, 'a\\u000a\\u007f: unknown member'), ({'title': 'x', 'description': 4}, 'description: expected a string of 0 to 4000 characters'),
], ids=lambda value: str(value)[:40])
def test_bad_bodies(both, body, error):
    for method, path in ('POST', '/todos'), ('PUT', '/todos/none'):
        status, headers, said = both(method, path, body)
        assert (status, said, headers['Access-Control-Allow-Origin']) == (400, {'error': error}, '*')


@pytest.mark.parametrize('body', [{}, {'title': None}, {'completed': True}], ids=str)
def test_a_new_todo_needs_a_title(both, body):
    assert both('POST', '/todos', body)[::2] == (400, {'error': 'title: required'})


@pytest.mark.parametrize('body', [
    '{"title":"\\ud800"}', '{"title":"x","\\udfff":1}', '{"title":"x","completed":NaN}', '[Infinity]', '{"title":' + 200 * '[' + 200 * ']' + '}',
    1001 * '[' + 1001 * ']', 100000 * '[', '{"title":"x', '{"title":tru}', '{"title":-}', '[' + 2_500_000 * '0,' + '0]',
], ids=lambda body: body[:30])
def test_bodies_that_are_no_json_of_ours(app, body):
    """Which byte is wrong, each parser says in its own way."""
    answer = app.ask('POST', '/todos', body)
    assert answer.status == 400 and list(answer.json) == ['error'] and ANY_ORIGIN in answer.headers.items()


def test_bodies_that_are_too_large(both):
    assert both('POST', '/todos', '{"title":"' + 7_000_000 * 'x' + '"}')[0] == 413


def test_longest_title_in_code_points(app):
    assert app.ask('POST', '/todos', {'title': '😀' * 200}).json['title'] == '😀' * 200


@pytest.mark.parametrize('path', ['/todos', '/todos/any'])
def test_preflight(both, path):
    status, headers, _ = both('OPTIONS', path, headers={'Origin': 'http://example.com', 'Access-Control-Request-Method': 'POST'})
    assert status == 200 and ANY_ORIGIN in headers.items() and 'OPTIONS' in headers['Access-Control-Allow-Methods']


# ---- both versions give one answer ----

def test_each_route_answers_alike(both, table):
    made = both('POST', '/todos', {'title': 'a "title" é', 'description': '\\ \u2028 \x7f'}, made=MADE)
    assert made[0] == 201
    for letters in both.letters:
        table.put_item(Item={'id': f'alike {letters}', 'title': 'x', 'description': '', 'completed': False, 'createdAt': '2026-01-01T00:00:00Z', 'updatedAt': ''})
    at = '/todos/alike%20LANG'
    assert both('GET', at)[::2] == (200, {'id': 'alike LANG', 'title': 'x', 'description': '', 'completed': False, 'createdAt': '2026-01-01T00:00:00Z', 'updatedAt': ''})
    assert both('PUT', at, {'completed': True, 'title': 'y'}, made=MADE)[0] == 200
    assert both('PUT', at, {}, made=MADE)[2]['title'] == 'y'
    assert both('DELETE', at)[::2] == (200, {'message': 'The todo is gone.'})
    for method, body in ('GET', None), ('PUT', {'completed': True}), ('DELETE', None):
        status, headers, said = both(method, at, body)
        assert (status, said, headers['Access-Control-Allow-Origin']) == (404, MISSING, '*')
    assert both('GET', '/todos//')[::2] == (404, {'error': 'no such path'})
    assert both('PATCH', '/todos', {})[0] == 403                # API Gateway's: the API has no such method


def test_the_page_is_the_file(app):
    answer = app.ask('GET', '/')
    assert (answer.status, answer.text, answer.headers['Content-Type']) == (200, (HERE / 'page.html').read_text(), 'text/html; charset=utf-8')


@pytest.mark.parametrize('id', ['a b', 'é', 'a/b', 'a+b', 'a:b', '"\'', 'a%b', 'a%20b', '%41', '😀', '..', '{x}'])
def test_ids_that_are_encoded_in_the_path(both, table, id):
    """API Gateway hands the path over as the client sent it; it is decoded once."""
    for letters in both.letters:
        table.put_item(Item={'id': f'{id} {letters}', 'title': 'x', 'createdAt': '', 'updatedAt': ''})
    at = '/todos/' + urllib.parse.quote(f'{id} LANG', safe='')
    assert both('GET', at)[2]['id'] == f'{id} LANG'
    assert both('PUT', at, {'title': 'y'}, made=('updatedAt',))[2]['title'] == 'y'
    assert both('DELETE', at)[0] == 200 and both('GET', at)[0] == 404


@pytest.mark.parametrize('id', [2048 * 'x', 2049 * 'x', 1025 * '%C3%A9', '%ff'], ids=lambda id: f'{len(id)} {id[:3]}')
def test_ids_that_no_todo_can_have(both, id):
    for method, body in ('GET', None), ('PUT', {'completed': True}), ('DELETE', None):
        assert both(method, '/todos/' + id, body)[::2] == (404, MISSING)


@pytest.mark.parametrize('query, error', [
    *((f'limit={limit}', 'limit: expected an integer from 1 to 100') for limit in ('', '0', '101', '-1', 'x', '1.5', '%2B1', '%D9%A3', 5000 * '9', 'x&limit=1')),
    ('next=' + 2049 * 'x', 'next: expected at most 2048 bytes'), ('next=' + 1025 * '%C3%A9', 'next: expected at most 2048 bytes'),
], ids=lambda value: value[:20])
def test_bad_queries(both, query, error):
    assert both('GET', '/todos?' + query)[::2] == (400, {'error': error})


@pytest.mark.parametrize('query', ['limit=1&limit=x', 'limit=007', 'next=', 'next=none', 'next=' + 2048 * 'x', 'other=1'])
def test_good_queries(both, query):
    assert both('GET', '/todos?' + query)[0] == 200


def test_todos_of_one_second_have_one_order(both, app, table):
    for n in range(6):
        app.ask('POST', '/todos', {'title': f'quick {n}'})
        table.put_item(Item={'id': uuid.uuid4().hex, 'title': 'same', 'createdAt': '2026-01-01T00:00:00Z', 'updatedAt': ''})
    listed = both('GET', '/todos')[2]['items']
    assert len(listed) >= 12 and listed == sorted(listed, key=lambda item: (item['createdAt'], item['id']))


@pytest.fixture
def many(table):
    """More todos than fit in one answer of a function (6 MB)."""
    ids = [f'many-{n:03}' for n in range(420)]
    with table.batch_writer() as batch:
        for id in ids:
            batch.put_item(Item={'id': id, 'title': id, 'description': 4000 * '😀', 'completed': False, 'createdAt': '2026-01-01T00:00:00Z', 'updatedAt': ''})
    yield ids
    with table.batch_writer() as batch:
        for id in ids:
            batch.delete_item(Key={'id': id})


def test_more_todos_than_one_answer_holds(app, many):
    ids = [item['id'] for item in everything(app.ask)]
    assert len(ids) == len(set(ids)) and set(many) <= set(ids)
    assert ids and sorted(ids) == sorted(item['id'] for item in everything(app.ask, limit=7))


@pytest.mark.parametrize('method', ['PATCH', 'POST'])
def test_methods_that_the_api_does_not_have(server, functions, method):
    event = subprocess.run([harness.BINARY, 'event', 'apigw-proxy', '--method', method, '--path', '/todos/1', '--resource', '/todos/{id}', '--body', '{}'],
                           capture_output=True, check=True).stdout
    python, c = (json.load(server.client('lambda').invoke(FunctionName=name, Payload=event)['Payload']) for name in functions)
    for answer in python, c:
        assert (answer['statusCode'], json.loads(answer['body'])) == (405, {'error': 'method not allowed'})
    flat = {name: values[0] for name, values in c.get('multiValueHeaders', {}).items()} | c.get('headers', {})
    assert python['headers']['Allow'] == flat['Allow'] == 'GET, PUT, DELETE, OPTIONS'


# ---- when DynamoDB fails ----

CALLS = [('GET', '/todos', None, 'Scan'), ('GET', '/todos/1', None, 'GetItem'), ('POST', '/todos', {'title': 'x'}, 'PutItem'),
         ('PUT', '/todos/1', {'title': 'x'}, 'UpdateItem'), ('DELETE', '/todos/1', None, 'DeleteItem')]


@pytest.fixture
def both_ask(both):
    """Without the headers, of which one is there in every answer."""
    def ask(method, path, body):
        status, headers, said = both(method, path, body)
        assert headers['Access-Control-Allow-Origin'] == '*'
        return status, said
    return ask


def test_a_table_that_is_not_theirs(both_ask, configured, failures_are_said):
    configured(TABLE_NAME='not-theirs')
    failures_are_said(both_ask, 'not-theirs', CALLS)


def test_dynamodb_that_nobody_serves(both_ask, configured, failures_are_said):
    configured(AWS_ENDPOINT_URL_DYNAMODB='http://127.0.0.1:1')
    failures_are_said(both_ask, 'todo-items', CALLS[:1])


def test_log_level(both, log_level_counts):
    log_level_counts(lambda: both('GET', '/todos/1'))


def test_missing_variables(both, a_missing_variable_is_named):
    a_missing_variable_is_named(lambda: both('GET', '/todos'), 'TABLE_NAME', 'environment variable TABLE_NAME is missing')


# ---- the page ----

ROWS = """return [...document.querySelectorAll('li')].map(row => ({
  title: row.querySelector('strong').textContent, description: row.querySelector('p').textContent, done: row.className == 'done',
  tick: row.querySelector('input'), remove: row.querySelector('button') }))"""


def row_of(page, title):
    """The row as it stands now; the page makes new ones after each answer."""
    return next((row for row in page.execute_script(ROWS) if row['title'] == title), None)


def test_the_page_in_a_browser(app, page):
    title = f'<img src=x onerror="document.title=1"><script>document.title=2</script> & {uuid.uuid4()}'
    description = '</ul><b>two\nlines</b>'
    page = page('/')
    assert page.title == 'Todo list'
    page.find_element(By.NAME, 'title').send_keys(title)
    page.find_element(By.NAME, 'description').send_keys(description)
    page.find_element(By.CSS_SELECTOR, 'form button').click()
    harness.until(lambda: row_of(page, title), 'the page shows the title as it was written')
    assert row_of(page, title)['description'] == description
    assert not page.find_elements(By.CSS_SELECTOR, 'li img, li script, li b') and page.title == 'Todo list'
    harness.until(lambda: page.find_element(By.NAME, 'title').get_property('value') == '', 'the form is ready for the next one')

    stored = next(item for item in everything(app.ask) if item['title'] == title)
    at = f'/todos/{stored["id"]}'
    for completed in (True, False, True):
        row_of(page, title)['tick'].click()
        harness.until(lambda: row_of(page, title)['done'] is completed, 'the toggle shows')
        assert app.ask('GET', at).json == {**stored, 'completed': completed, 'updatedAt': app.ask('GET', at).json['updatedAt']}
    page.refresh()
    harness.until(lambda: row_of(page, title), 'the list is there again')
    assert row_of(page, title)['tick'].is_selected()

    row_of(page, title)['remove'].click()
    harness.until(lambda: row_of(page, title) is None, 'the row is gone')
    assert app.ask('GET', at).status == 404


def test_the_page_says_what_was_refused(app, page):
    title = f'gone {uuid.uuid4()}'
    todo = app.ask('POST', '/todos', {'title': title}).json
    page = page('/')
    harness.until(lambda: row_of(page, title), 'the list is there')
    app.ask('DELETE', f'/todos/{todo["id"]}')
    row_of(page, title)['tick'].click()
    harness.until(lambda: page.find_element(By.ID, 'error').text == 'There is no such todo.', 'the page says what was refused')
    assert len(page.get_log('browser')) == 1                # Chromium tells of an answer of 404


def test_the_page_shows_all_of_them_in_order(app, page, many):
    page = page('/')
    harness.until(lambda: len(page.find_elements(By.TAG_NAME, 'li')) >= len(many), 'the list is there', seconds=90)
    titles = [row['title'] for row in page.execute_script(ROWS)]
    assert [title for title in titles if title in many] == many
