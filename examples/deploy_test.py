"""The applications' deploy.sh on a server of its own: where it deploys, and what running it again repairs and changes."""
import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import time

import pytest

import harness

HERE = os.path.dirname(os.path.abspath(__file__))
pytestmark = pytest.mark.skipif('APP_URL' in os.environ, reason='deploys')
UNSET = ('AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE', 'RUNTIME')

# Stands before the AWS CLI. `count` in its folder says how often create-function failed as on AWS right after create-role.
RACE = '''#!/bin/sh
case "$*" in *'lambda create-function'*)
    echo . >> "$0.count"
    if [ "$(wc -l < "$0.count")" -le $FAILURES ]; then
        echo "An error occurred (InvalidParameterValueException) when calling the CreateFunction operation: $MESSAGE" >&2
        exit 254
    fi
esac
PATH=${PATH#*:} exec aws "$@"
'''
ELSEWHERE = 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:other/invocations'
NOT_YET = 'The role defined for the function cannot be assumed by Lambda.'


@pytest.fixture(scope='module')
def own():
    with harness.running() as server:
        yield server


@pytest.fixture(scope='module')
def deploy(own):
    """deploy('todo', 'c', NAME=value): the finished run of its deploy.sh; the shell has no region but what is given."""
    env = {k: v for k, v in own.client_env().items() if k not in UNSET}
    return lambda name, *words, **more: subprocess.run([os.path.join(HERE, name, 'deploy.sh'), *words], env={**env, **more}, capture_output=True, text=True)


def answer(done, method='POST', path='', body=None, **headers):
    assert done.returncode == 0, done.stderr
    return harness.http(method, done.stdout.strip() + path, body, headers)


def ping(done):
    return answer(done, body='{"operation":"ping"}').json


def token(secret):
    part = lambda data: base64.urlsafe_b64encode(data).rstrip(b'=')                         # noqa: E731
    text = part(b'{"alg":"HS256","typ":"JWT"}') + b'.' + part(json.dumps({'sub': 'test', 'exp': int(time.time()) + 600}).encode())
    return (text + b'.' + part(hmac.new(secret.encode(), text, hashlib.sha256).digest())).decode()


def test_everything_is_made_in_the_region_of_the_profile(own, deploy, tmp_path):
    """Also: what desktops set for gettext does not choose the language."""
    (tmp_path / 'config').write_text('[default]\nregion = eu-west-1\n')
    assert ping(deploy('router', AWS_CONFIG_FILE=str(tmp_path / 'config'), LANGUAGE='en_US:en')) == 'pong'
    assert own.client('lambda', region='eu-west-1').get_function(FunctionName='router')['Configuration']['Runtime'] == 'python3.11'
    assert own.client('lambda').list_functions()['Functions'] == []


@pytest.mark.parametrize('words', [['cobol'], ['en_US:en']])
def test_an_unknown_language_is_refused_before_anything_is_made(own, deploy, words):
    done = deploy('orders', *words)
    assert done.returncode == 2 and done.stderr.endswith('orders/deploy.sh [python | c]\n') and done.stdout == ''
    assert [role['RoleName'] for role in own.client('iam').list_roles()['Roles'] if role['RoleName'].startswith('orders')] == []


def half_made(gateway, name, part, *methods):
    """An API of a run that was interrupted: methods without answers and, where no type is given, without integration. Returns its id."""
    api = gateway.create_rest_api(name=name)['id']
    root = gateway.get_resources(restApiId=api)['items'][0]['id']
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart=part)['id']
    for method, kind in methods:
        gateway.put_method(restApiId=api, resourceId=resource, httpMethod=method, authorizationType='NONE')
        if kind:
            gateway.put_integration(restApiId=api, resourceId=resource, httpMethod=method, type=kind, requestTemplates={'application/json': '{"statusCode": 200}'},
                                    **({'integrationHttpMethod': 'POST', 'uri': ELSEWHERE} if kind != 'MOCK' else {}))
    return api


def test_an_interrupted_run_is_finished_by_the_next_and_may_be_repeated(own, deploy):
    api = half_made(own.client('apigateway'), 'router-c', 'DynamoDBManager', ('POST', 'AWS'))
    for _ in range(2):
        done = deploy('router', 'c')
        assert ping(done) == 'pong' and api in done.stdout
    own.client('lambda').delete_function(FunctionName='router-c')


def test_a_function_of_another_runtime_becomes_this_one(own, deploy):
    """Also: methods for a function and for the preflight, of an interrupted run."""
    harness.deploy_function(own, 'todo-c', 'def handler(event, context):\n    return "old"')
    api = half_made(own.client('apigateway'), 'todo-c', 'todos', ('GET', None), ('OPTIONS', 'MOCK'))
    done = deploy('todo', 'c')
    assert api in done.stdout, done.stderr
    assert answer(done, 'GET', '/todos').status == 200
    assert answer(done, 'OPTIONS', '/todos').headers['Access-Control-Allow-Methods'] == 'GET,POST,OPTIONS'
    configuration = own.client('lambda').get_function_configuration(FunctionName='todo-c')
    assert (configuration['Runtime'], configuration['Handler'], configuration['Timeout']) == ('provided.al2023', 'bootstrap', 10)


def test_a_second_run_brings_the_changed_environment(deploy):
    secrets = 'the first secret, of more than 32 bytes', 'the second secret, of more than 32 bytes'
    for secret, statuses in zip(secrets, ([200, 401], [401, 200])):
        done = deploy('items', 'c', JWT_SECRET=secret)
        assert [answer(done, 'GET', '/items', Authorization='Bearer ' + token(s)).status for s in secrets] == statuses


@pytest.mark.parametrize('failures, message, tries, status', [(2, NOT_YET, 3, 0), (99, NOT_YET, 6, 1), (1, 'Value python9 at runtime failed', 1, 1)])
def test_a_role_that_lambda_cannot_assume_yet_is_waited_for(own, deploy, tmp_path, failures, message, tries, status):
    for name, text in ('aws', RACE), ('sleep', '#!/bin/sh\n'):
        harness.executable(tmp_path / name, text)
    done = deploy('router', 'c', PATH=f'{tmp_path}:{os.environ["PATH"]}', FAILURES=str(failures), MESSAGE=message)
    assert (done.returncode, (tmp_path / 'aws.count').read_text().count('.')) == (status, tries), done.stderr
    if status == 0:
        assert ping(done) == 'pong'
        own.client('lambda').delete_function(FunctionName='router-c')
    else:
        assert message in done.stderr and done.stdout == ''


def test_the_template_of_new_projects_waits_in_the_same_way():
    """It stands alone, so it has a copy."""
    copies = [re.search(r'^create_function\(\) \{.*?^\}', open(os.path.join(HERE, path)).read(), re.M | re.S)[0]
              for path in ('deploy.sh', '../templates/common/deploy.sh')]
    assert copies[0] == copies[1]
