"""Black-box tests of the example applications: each test runs against the version in C and the one in Python.

`make e2e` runs them on a server of their own. With APP_URL they run against whatever is deployed there:
    APP_URL=https://….amazonaws.com/prod pytest examples/todo
"""
import json
import os
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


@pytest.fixture(scope='session')
def deployed(server):
    """deployed('todo', 'c'): the application, deployed once by its own deploy.sh."""
    apps = {}

    def of(name, language, **environment):
        if server is None:
            return App(language, os.environ['APP_URL'])
        if (name, language) not in apps:
            done = subprocess.run([os.path.join(HERE, name, 'deploy.sh')], capture_output=True, text=True,
                                  env={**server.client_env(), 'LANGUAGE': language, 'JWT_SECRET': JWT_SECRET, **environment})
            assert done.returncode == 0, done.stderr
            apps[name, language] = App(language, done.stdout.strip())
        return apps[name, language]
    return of


@pytest.fixture(scope='module', params=LANGUAGES)
def app(request, deployed):
    """The application whose folder holds the test, in each language."""
    return deployed(os.path.basename(os.path.dirname(request.path)), request.param)


@pytest.fixture(scope='session')
def browser():
    """Chromium, which finds no host but this one: what a page would fetch from outside fails."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking', '--disable-component-update',
                     '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    chromium = webdriver.Chrome(options, webdriver.ChromeService(shutil.which('chromedriver')))
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
