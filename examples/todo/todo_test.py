"""The todo list from outside: its life, its page, what it refuses."""
import html.parser
import uuid

import pytest

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


def test_the_page_needs_nothing_from_outside(app):
    page = app.ask('GET', '/')
    assert page.status == 200 and page.headers['Content-Type'] == 'text/html; charset=utf-8'
    wanted = []
    parser = html.parser.HTMLParser()
    parser.handle_starttag = lambda tag, attributes: wanted.extend(v for k, v in attributes if k in ('src', 'href'))
    parser.feed(page.text)
    assert not wanted and 'innerHTML' not in page.text
