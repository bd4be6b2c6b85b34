"""The todo list from outside: its life, its page, what it refuses."""
import uuid

import harness
import pytest
from selenium.webdriver.common.by import By

ANY_ORIGIN = ('Access-Control-Allow-Origin', '*')


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
    listed = app.ask('GET', '/todos').json
    assert listed['count'] == len(listed['items']) and todo['id'] in [item['id'] for item in listed['items']]
    assert [item['createdAt'] for item in listed['items']] == sorted(item['createdAt'] for item in listed['items'])
    gone = app.ask('DELETE', at)
    assert gone.status == 200 and gone.json == {'deleted': todo['id']}
    for method, body in (('GET', None), ('PUT', {'completed': True}), ('DELETE', None)):
        missing = app.ask(method, at, body)
        assert missing.status == 404 and missing.json == {'error': 'There is no such todo.'} and ANY_ORIGIN in missing.headers.items()


@pytest.mark.parametrize('body, error', [
    ('', 'body: expected a JSON object'), ('{"title":', 'body: no valid JSON at byte 9'), ('[1]', 'expected a JSON object'), ('"text"', 'expected a JSON object'),
    ({}, 'title: required'), ({'title': ''}, 'title: expected a string of 1 to 200 characters'),
    ({'title': 'é' * 201}, 'title: expected a string of 1 to 200 characters'), ({'title': 7}, 'title: expected a string of 1 to 200 characters'),
    ({'title': 'x', 'completed': 'yes'}, 'completed: expected true or false'), ({'title': 'x', 'colour': 'red'}, 'colour: unknown member'),
    ({'title': None}, 'title: required'), ({'title': 'x', 'description': 4}, 'description: expected a string of 0 to 4000 characters'),
], ids=str)
def test_bad_bodies(app, body, error):
    answer = app.ask('POST', '/todos', body)
    assert (answer.status, answer.json) == (400, {'error': error})


def test_longest_title_in_code_points(app):
    assert app.ask('POST', '/todos', {'title': '😀' * 200}).json['title'] == '😀' * 200


def test_preflight(app):
    answer = app.ask('OPTIONS', '/todos', headers={'Origin': 'http://example.com', 'Access-Control-Request-Method': 'POST'})
    assert answer.status == 200 and ANY_ORIGIN in answer.headers.items() and 'POST' in answer.headers['Access-Control-Allow-Methods']


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

    stored = next(item for item in app.ask('GET', '/todos').json['items'] if item['title'] == title)
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
