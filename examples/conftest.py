"""Black-box tests of the example applications: each test runs against the version in C and the one in Python.

`make e2e` runs them on a server of their own. With APP_URL they run against whatever is deployed there:
    APP_URL=https://….amazonaws.com/prod pytest examples/todo
"""
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from selenium import webdriver

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'tests', 'e2e'))
import harness                                                                              # noqa: E402

LANGUAGES = ['python', 'c']
JWT_SECRET = 'a secret of the tests, long enough for HS256'


class App:
    def __init__(self, language, url):
        self.language, self.url = language, url

    def ask(self, method, path='', body=None, headers=None):
        """body: anything but text goes as JSON."""
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        return harness.http(method, self.url + path, body, {**({'Content-Type': 'application/json'} if body is not None else {}), **(headers or {})})


@pytest.fixture(scope='session')
def server():
    if os.environ.get('APP_URL'):
        yield None
        return
    with harness.running() as server:
        yield server


def keep_little(client, function):
    """AddressSanitizer keeps what was freed, up to 256 MB unless it is told otherwise: as much as the function has."""
    variables = client.get_function_configuration(FunctionName=function).get('Environment', {}).get('Variables', {})
    client.update_function_configuration(FunctionName=function, Environment={'Variables': {**variables, 'ASAN_OPTIONS': 'quarantine_size_mb=32'}})
    client.get_waiter('function_updated_v2').wait(FunctionName=function)


@pytest.fixture(scope='session')
def deployed(server):
    """deployed('todo', 'c'): the application, deployed once by its own deploy.sh."""
    apps = {}

    def of(name, language, **environment):
        if server is None:
            return App(language, os.environ['APP_URL'])
        if (name, language) not in apps:
            done = subprocess.run([os.path.join(HERE, name, 'deploy.sh'), language], capture_output=True, text=True,
                                  env={**server.client_env(), 'JWT_SECRET': JWT_SECRET, **environment})
            assert done.returncode == 0, done.stderr
            if language == 'c' and 'C_PACKAGES' in os.environ:
                keep_little(server.client('lambda'), name + '-c')
            apps[name, language] = App(language, done.stdout.strip())
        return apps[name, language]
    return of


@pytest.fixture(scope='module', params=LANGUAGES)
def app(request, deployed):
    """The application whose folder holds the test, in each language."""
    return deployed(os.path.basename(os.path.dirname(request.path)), request.param)


COMPARED = ('Content-Type', 'Allow', 'WWW-Authenticate', 'x-amzn-Remapped-WWW-Authenticate',
            'Access-Control-Allow-Origin', 'Access-Control-Allow-Methods', 'Access-Control-Allow-Headers')


@pytest.fixture
def both(request, deployed):
    """both(method, path, …): the one answer that the two versions of the application give; LANG in path, body and headers is one
    of both.letters for each of them, since they share a table. Members named in `made` are the application's own invention."""
    apps = [deployed(os.path.basename(os.path.dirname(request.path)), language) for language in LANGUAGES]

    def ask(method, path='', body=None, headers=None, made=()):
        answers = []
        for app, letters in zip(apps, ask.letters):
            sent = [given if given is None else json.loads(json.dumps(given).replace('LANG', letters)) for given in (path, body, headers)]
            answer = app.ask(method, *sent)
            text = answer.text.replace(letters, 'LANG')
            for name in made:
                text = re.sub(rf'("{name}": ?)"[^"]*"', r'\1"made"', text)
            is_json = answer.headers.get('Content-Type') == 'application/json'
            answers.append((answer.status, {name: answer.headers.get(name) for name in COMPARED}, json.loads(text, parse_float=str) if is_json and text else text))
        python, c = answers
        assert python == c, (method, path, body)
        return python
    ask.letters = 'qx', 'qz'
    return ask


@pytest.fixture
def functions(request, server, deployed):
    """The names of the application's functions, deployed on the server of these tests."""
    name = os.path.basename(os.path.dirname(request.path))
    if server is None:
        pytest.skip('looks into a server of its own')
    for language in LANGUAGES:
        deployed(name, language)
    return [name + suffix for suffix in ('', '-c')]


@pytest.fixture
def configured(server, functions):
    """configured(NAME=value): both versions with that environment, until the test ends; None takes a variable away."""
    client = server.client('lambda')
    before = {name: client.get_function_configuration(FunctionName=name).get('Environment', {}).get('Variables', {}) for name in functions}

    def configure(**variables):
        for name in functions:
            given = {k: v for k, v in {**before[name], **variables}.items() if v is not None}
            client.update_function_configuration(FunctionName=name, Environment={'Variables': given})
            client.get_waiter('function_updated_v2').wait(FunctionName=name)
    yield configure
    configure()


@pytest.fixture
def logged(server):
    """logged(function, text): waits for a line with that text in the function's log, and gives all messages there."""
    def wait(function, text):
        def messages():
            pages = server.client('logs').get_paginator('filter_log_events').paginate(logGroupName=f'/aws/lambda/{function}')
            return [event['message'].rstrip('\n') for page in pages for event in page['events']]
        harness.until(lambda: any(text in message for message in messages()), (function, text))
        return messages()
    return wait


@pytest.fixture
def failures_are_said(functions, logged):
    """failures_are_said(ask, table, calls): each (method, path, body, operation) is answered 500, and is an error in the log that names
    operation and table."""
    def check(ask, table, calls):
        for method, path, body, operation in calls:
            assert ask(method, path, body) == (500, {'error': 'Internal server error'})
            call = f'{operation} on {table}: '
            for function in functions:
                lines = [message for message in logged(function, call) if call in message]
                assert all('ERROR' in line and '\n' not in line for line in lines), lines
    return check


@pytest.fixture
def a_missing_variable_is_named(functions, configured, logged):
    """a_missing_variable_is_named(ask, name, text): without it no environment starts, and each says that text in one line."""
    def check(ask, name, text):
        configured(**{name: None})
        assert ask()[0] == 502                                  # API Gateway's
        for function in functions:
            assert not any('Traceback' in message or text in message and '\n' in message for message in logged(function, text))
    return check


@pytest.fixture
def log_level_counts(functions, configured, logged):
    """log_level_counts(ask): asks for what DynamoDB refuses, with LOG_LEVEL=FATAL and without; only the second one may be logged."""
    def check(ask):
        for table, level in ('silent', 'FATAL'), ('spoken', None):
            configured(TABLE_NAME=table, LOG_LEVEL=level)
            assert ask()[0] == 500
        for function in functions:
            assert not any(' on silent: ' in message for message in logged(function, ' on spoken: '))
    return check


@pytest.fixture(scope='session')
def browser():
    """Chromium, which finds no host but this one: what a page would fetch from outside fails."""
    program, driver = shutil.which('chromium'), shutil.which('chromedriver')
    assert program and driver, 'chromium and chromium-driver are not installed: make deps-test'
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking', '--disable-component-update',
                     '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    chromium = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chromium
    chromium.quit()


@pytest.fixture
def page(app, browser):
    """page(path): the browser, after it has loaded the application's page; whatever the page complains about fails the test."""
    def load(path):
        browser.get(app.url + path)
        return browser
    yield load
    assert browser.get_log('browser') == []
