"""`cloudless new`, `run` and `event`: projects of both languages from nothing to an answer; functions outside the sandbox."""
import json
import os
import shutil
import subprocess
import sys

import pytest

import apis
import harness
from harness import http

# A function of the Runtime API in Python's standard library: answers, fails or ends as its event says.
PROGRAM = '''#!/usr/bin/env python3
import json, os, sys, urllib.request
base = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/'
def post(path, body, **headers):
    urllib.request.urlopen(urllib.request.Request(base + path, json.dumps(body).encode(), headers)).read()
if os.environ.get('BROKEN'):
    post('init/error', {'errorType': 'Broken', 'errorMessage': 'no luck'}, **{'Lambda-Runtime-Function-Error-Type': 'Broken'})
    sys.exit(1)
while True:
    with urllib.request.urlopen(base + 'invocation/next') as answer:
        id, event = answer.headers['Lambda-Runtime-Aws-Request-Id'], json.load(answer)
    if event.get('exit'):
        os._exit(event['exit'])
    if event.get('fail'):
        post(f'invocation/{id}/error', {'errorType': 'Failed', 'errorMessage': 'as asked'}, **{'Lambda-Runtime-Function-Error-Type': 'Failed'})
    else:
        post(f'invocation/{id}/response', {'event': event, 'root': os.environ['LAMBDA_TASK_ROOT'], 'region': os.environ['AWS_REGION']})
'''


@pytest.fixture
def program(tmp_path):
    return harness.executable(tmp_path / 'bootstrap', PROGRAM)


def run(*words, stdin='', cwd=None, env=None):
    return subprocess.run([harness.BINARY, *map(str, words)], input=stdin, capture_output=True, text=True, timeout=120, cwd=cwd, env={**os.environ, **(env or {})})


# ---- run ----

def test_events_from_lines_and_files(program, tmp_path):
    lines = run('run', './bootstrap', stdin='{"n":1}\n\n{"n":2}\n', cwd=tmp_path)
    assert lines.returncode == 0, lines.stderr
    answers = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [a['event']['n'] for a in answers] == [1, 2]
    assert answers[0]['root'] == str(tmp_path) and answers[0]['region']
    (tmp_path / 'event.json').write_text('{\n  "n": 3\n}\n')
    files = run('run', '--event', 'event.json', '--event', '-', './bootstrap', stdin='{"n":4}', cwd=tmp_path)
    assert [json.loads(line)['event']['n'] for line in files.stdout.splitlines()] == [3, 4]


# In a network of its own, where questions to the only name server stay unanswered.
SILENT_NAMES = '''
import socket, subprocess, sys
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(('127.0.0.1', 53))
with open('resolv.conf', 'w') as f:
    f.write('nameserver 127.0.0.1\\n')
subprocess.run(['mount', '--bind', 'resolv.conf', '/etc/resolv.conf'], check=True)
done = subprocess.run(sys.argv[1:])
silent.setblocking(False)
asked = [silent.recv(1024)]
try:
    while True:
        asked.append(silent.recv(1024))
except BlockingIOError:
    pass
assert len(set(asked)) == len(asked), 'the same look-up asked again after five seconds: the function had two'
sys.exit(done.returncode)
'''


@pytest.mark.skipif(os.geteuid() != 0, reason='makes namespaces')
def test_a_name_server_that_never_answers(tmp_path):
    event = run('event', 'apigw-proxy', '--path', '/todos').stdout
    shutil.copy(os.path.join(harness.ROOT, 'examples', 'todo', 'page.html'), tmp_path)
    env = {**os.environ, 'TABLE_NAME': 'todos', 'AWS_ENDPOINT_URL': 'http://dynamodb.example', 'AWS_REGION': harness.REGION,
           'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'none'}
    done = subprocess.run(['unshare', '--mount', '--net', sys.executable, '-c', SILENT_NAMES, harness.BINARY, 'run', '--timeout', '2',
                           harness.bootstrap('todo')],
                          input=event, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=env)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert json.loads(done.stdout)['statusCode'] == 500
    said = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{')]
    assert [line['message'] for line in said if line['level'] == 'ERROR'] == ['Scan on todos: no connection to dynamodb.example: the name\'s address was not found in time']


def test_a_debugger_may_stand_between(program, tmp_path):
    assert run('run', 'env', 'A=b', './bootstrap', stdin='{}', cwd=tmp_path).returncode == 0


def test_a_log_that_nobody_reads_ends_no_function(tmp_path):
    event = run('event', 'apigw-proxy', '--path', '/items').stdout
    read, write = os.pipe()
    os.close(read)
    env = {**os.environ, 'TABLE_NAME': 'items', 'JWT_SECRET': 'x' * 32, 'AWS_REGION': 'us-east-1', 'AWS_ACCESS_KEY_ID': 'a', 'AWS_SECRET_ACCESS_KEY': 'b'}
    done = subprocess.run([harness.BINARY, 'run', os.path.join(harness.ROOT, 'build/examples/items/bootstrap')], input=event, env=env,
                          stdout=subprocess.PIPE, stderr=write, text=True, timeout=60)
    os.close(write)
    assert done.returncode == 0 and json.loads(done.stdout)['statusCode'] == 401      # and a line of the log about it


@pytest.mark.parametrize('stdin, env, says', [
    ('{"fail":1}\n{}\n', {}, 'function error Failed: {"errorType": "Failed"'),
    ('{}\n', {'BROKEN': '1'}, 'initialisation error Broken: '),
    ('{"exit":3}\n{}\n', {}, 'exit status 3 before the last event'),
])
def test_failures_are_said_and_exit_with_1(program, tmp_path, stdin, env, says):
    done = run('run', './bootstrap', stdin=stdin, cwd=tmp_path, env=env)
    assert done.returncode == 1 and says in done.stderr


@pytest.mark.parametrize('words, status, says', [
    (['run'], 2, 'needs PROGRAM'), (['run', './missing'], 1, 'No such file'), (['run', '--event', 'missing.json', './bootstrap'], 1, 'missing.json: No such file'),
    (['run', '--timeout', '0', './bootstrap'], 2, 'from 1 to 86400'), (['event', 'sqs'], 2, "no event 'sqs'"),
    (['event', 'apigw-proxy', '--path', 'x'], 2, 'begin with /'), (['event', 'apigw-proxy', '--path', '/a', '--resource', '/b'], 1, 'does not take'),
    (['new', 'Name'], 2, 'small letters'), (['new', '../x'], 2, 'small letters'), (['new', 'a', 'b'], 2, 'one name'), (['new', 'a', '--lang', 'rust'], 2, 'c and python'),
])
def test_wrong_usage(program, tmp_path, words, status, says):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == status and says in done.stderr, done.stderr


# ---- event ----

def test_an_event_is_what_the_gateway_sends(server, deploy_function, unique):
    """Member for member, but for what a request cannot say: ids, times, its client."""
    name = unique('echo')
    deploy_function(name, 'import json\ndef handler(event, context):\n    return {"statusCode": 200, "body": json.dumps(event)}')
    api = apis.Api(server, name)
    api.function('/todos/{id}', 'PUT', name)
    api.deploy('prod')
    sent = api.call('PUT', 'prod', '/todos/1%202?a=1&a=2&b=', '{"x":1}', {'Content-Type': 'application/json', 'X-Custom': 'value'}).json
    made = json.loads(run('event', 'apigw-proxy', '--method', 'PUT', '--path', '/todos/1%202', '--resource', '/todos/{id}', '--query', 'a=1&a=2&b=',
                          '--header', 'X-Custom: value', '--body', '{"x":1}').stdout)
    assert set(made) == set(sent) and set(made['requestContext']) == set(sent['requestContext'])
    for member in ('resource', 'path', 'httpMethod', 'queryStringParameters', 'multiValueQueryStringParameters', 'pathParameters', 'body', 'isBase64Encoded'):
        assert made[member] == sent[member], member
    assert made['headers']['Content-Type'] == sent['headers']['Content-Type'] and made['headers']['X-Custom'] == sent['headers']['X-Custom']


# ---- new ----

def new_project(folder, name, language):
    made = run('new', name, '--lang', language, cwd=folder)
    assert made.returncode == 0, made.stderr
    return folder / name


def make(project, *words, **env):
    done = subprocess.run(['make', '-s', *words], cwd=project, env={**os.environ, **harness.PROJECT_ENV, **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def deploy(project, server, **env):
    return make(project, 'deploy', **{**server.client_env(), **env}).strip().splitlines()[-1]


@pytest.mark.parametrize('language', ['c', 'python'])
def test_a_new_project_builds_tests_deploys_and_answers(server, tmp_path, language, unique):
    name = unique('hello')
    project = new_project(tmp_path, name, language)
    assert len((project / 'Makefile').read_text().splitlines()) <= 30
    make(project)
    make(project, 'test')
    url = deploy(project, server)
    assert http('GET', url + '/hello/Ada').json == {'hello': 'Ada'}
    assert http('GET', url + '/nothing').status == 404 and http('DELETE', url + '/hello/Ada').status == 405
    again = run('new', name, '--lang', language, cwd=tmp_path)
    assert again.returncode == 1 and 'File exists' in again.stderr


def test_deploying_again_changes_and_repairs(server, tmp_path, unique):
    """In the region of the profile: a function of another runtime with a variable of its own; an API without its integrations."""
    name, region = unique('hello'), 'eu-west-1'
    function, gateway = server.client('lambda', region=region), server.client('apigateway', region=region)
    role = harness.make_role(server, name)
    function.create_function(FunctionName=name, Runtime='provided.al2023', Handler='bootstrap', Role=role, Environment={'Variables': {'KEPT': '1'}},
                             Code={'ZipFile': harness.zip_of({'bootstrap': ('#!/bin/sh', 0o755)})})
    api = gateway.create_rest_api(name=name)['id']
    root = gateway.get_resources(restApiId=api)['items'][0]['id']
    gateway.put_method(restApiId=api, resourceId=root, httpMethod='ANY', authorizationType='NONE')
    (tmp_path / 'config').write_text(f'[default]\nregion = {region}\n')
    # Empty is as good as unset: a shell's ${AWS_REGION:-…} and the AWS CLI agree on that.
    where = {'AWS_CONFIG_FILE': str(tmp_path / 'config'), 'AWS_REGION': '', 'AWS_DEFAULT_REGION': ''}
    url = deploy(new_project(tmp_path, name, 'python'), server, **where)
    assert api in url and http('GET', url + '/hello/Ada').json == {'hello': 'Ada'} and http('GET', url).status == 404
    configuration = function.get_function_configuration(FunctionName=name)
    assert (configuration['Runtime'], configuration['Handler'], configuration['Environment']) == ('python3.11', 'app.handler', {'Variables': {'KEPT': '1'}})


def test_a_failed_check_of_a_project_shows_answer_and_log(tmp_path):
    project = new_project(tmp_path, 'hello', 'c')
    text = (project / 'app.c').read_text()
    (project / 'app.c').write_text(text.replace('"hello", ', '"bye", '))
    done = subprocess.run(['make', '-s', 'test'], cwd=project, env={**os.environ, **harness.PROJECT_ENV}, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout.count('ok: ') == 2
    assert 'FAILED: a name is greeted: {"statusCode":200' in done.stdout and '"message":"hello to Ada"' in done.stdout


# An out-of-bounds read in the handler of a new project.
BUG = '''    char *copy = malloc(name.n);
    memcpy(copy, name.p, name.n);
    cl_log(CL_INFO, "behind: %c", copy[name.n]);
    free(copy);
'''
GDB = ['gdb', '-batch', '-ex', 'break hello', '-ex', 'run', '-ex', 'continue']
VALGRIND = ['valgrind', '-q', '--error-exitcode=9', '--leak-check=full', '--show-leak-kinds=all', '--errors-for-leak-kinds=all']


@pytest.mark.parametrize('flags, wrapper, bug, status, says', [
    ([], GDB, '', 0, 'Breakpoint 1, hello (ctx='),
    ([], VALGRIND, '', 0, '"message":"hello to Ada"'),
    ([], VALGRIND, BUG, 1, 'Invalid read of size 1'),
    (['CFLAGS=-g -fsanitize=address'], [], '', 0, '"message":"hello to Ada"'),
    (['CFLAGS=-g -fsanitize=address'], [], BUG, 1, 'AddressSanitizer: heap-buffer-overflow'),
    ([], ['sh', '-c', '"$0"; true'], '', 0, '"message":"hello to Ada"'),
], ids=['gdb', 'valgrind', 'valgrind, bug', 'asan', 'asan, bug', 'sh'])
def test_tools_work_outside_the_sandbox(tmp_path, flags, wrapper, bug, status, says):
    project = new_project(tmp_path, 'hello', 'c')
    text = (project / 'app.c').read_text()
    line = '    cl_json *body ='
    assert text.count(line) == 1
    (project / 'app.c').write_text('#include <stdlib.h>\n#include <string.h>\n' + text.replace(line, bug + line))
    make(project)
    make(project, 'bootstrap', *flags)
    event = run('event', 'apigw-proxy', '--path', '/hello/Ada').stdout
    done = run('run', *wrapper, './bootstrap', stdin=event, cwd=project)
    assert done.returncode == status and says in done.stdout + done.stderr, done
    assert status or ('{\\"hello\\":\\"Ada\\"}' in done.stdout and '"FATAL"' not in done.stderr), done


def test_a_project_against_an_installed_tree(tmp_path):
    """What `make install DESTDIR= PREFIX=/usr` lays down is enough, wherever it stands."""
    env = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MFLAGS', 'MAKELEVEL')}

    def make(folder, *words):
        done = subprocess.run(['make', *words], cwd=folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    make(harness.ROOT, '--no-print-directory', 'install', f'DESTDIR={tmp_path}/root', 'PREFIX=/usr')
    usr = tmp_path / 'root' / 'usr'
    subprocess.run(['rm', '-rf', usr / 'share' / 'cloudless' / 'runtimes'], check=True)      # large, and nothing of C
    subprocess.run([usr / 'bin' / 'cloudless', 'new', 'hello', '--lang', 'c'], cwd=tmp_path, env=env, check=True, capture_output=True)
    said = make(tmp_path / 'hello')
    assert f'-I{usr}/include' in said and f'-L{usr}/lib' in said and harness.ROOT not in said
    assert make(tmp_path / 'hello', '-s', 'test').count('ok: ') == 3
