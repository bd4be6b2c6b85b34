"""Functions in C beside their Python twins: an empty handler, and the todo list's GET of one item, both through the REST API."""
import json
import os
import shlex
import subprocess
import zipfile

import prepared
import report
import workloads as w
from machine import ROOT, tree
from workloads import harness

START_SECONDS = 1.5
TABLE = 'bench-todos'
TODO = {'id': 'bench-todo', 'title': 'a title', 'description': 'some text', 'completed': False,
        'createdAt': '2026-01-31T09:05:07Z', 'updatedAt': '2026-01-31T09:05:07Z'}
POLICY = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': ['dynamodb:GetItem', 'logs:*'], 'Resource': '*'}]}
RUNTIMES = {'C': ('provided.al2023', 'bootstrap'), 'Python': ('python3.11', 'app.handler')}


def package(name, language):
    with open(os.path.join(ROOT, 'build', 'examples', f'{name}.zip' if language == 'C' else f'{name}-python.zip'), 'rb') as f:
        return f.read()


def own_package(name, language, mark):
    """With bytes of its own, so that no other function's unpacked code is found in its place."""
    path = w.in_work('own.zip')
    with open(path, 'wb') as f:
        f.write(package(name, language))
    with zipfile.ZipFile(path, 'a') as archive:
        archive.comment = mark.encode()
    with open(path, 'rb') as f:
        return f.read()


def empty_package(language):
    if language == 'Python':
        return harness.zip_of({'app.py': w.PLAIN_CODE})
    out = w.in_work('empty')
    env = {**os.environ, 'PKG_CONFIG_PATH': os.path.join(ROOT, 'build', 'lib', 'pkgconfig')}
    flags = shlex.split(subprocess.run(['pkg-config', '--static', '--cflags', '--libs', 'cloudless-function'], env=env, check=True, capture_output=True, text=True).stdout)
    subprocess.run(['gcc', '-O2', '-s', '-no-pie', '-Wl,--gc-sections', '-o', out, os.path.join(ROOT, 'bench', 'empty.c'), *flags], check=True)
    with open(out, 'rb') as f:
        return harness.zip_of({'bootstrap': (f.read(), 0o755)})


def deploy(server, name, language, code, role):
    runtime, handler = RUNTIMES[language]
    function = server.client('lambda')
    arn = function.create_function(FunctionName=name, Runtime=runtime, Handler=handler, Role=role, Code={'ZipFile': code}, MemorySize=512, Timeout=30,
                                   Environment={'Variables': {'TABLE_NAME': TABLE}})['FunctionArn']
    function.add_permission(FunctionName=name, StatementId='apigateway', Action='lambda:InvokeFunction', Principal='apigateway.amazonaws.com')
    return arn


def write_requests(server, file, path, text):
    prepared.write(w.in_work(file), [(prepared.plain('GET', path, f'127.0.0.1:{server.port}'), text)])


def peak_kib(server, language):
    """VmHWM of the largest process below the server that runs functions of the language."""
    program = 'bootstrap' if language == 'C' else 'python'
    peaks = [0]
    for pid in tree(server.process.pid)[1:]:
        try:
            with open(f'/proc/{pid}/comm') as f, open(f'/proc/{pid}/status') as status:
                if f.read().startswith(program):
                    peaks += [int(line.split()[1]) for line in status if line.startswith('VmHWM')]
        except OSError:
            continue            # it ended
    return max(peaks)


def measure(bench):
    """The rows of both languages; `bench` is run.py's."""
    server = bench.server
    subprocess.run(['make', '-s', 'examples'], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    server.client('dynamodb').create_table(TableName=TABLE, BillingMode='PAY_PER_REQUEST', AttributeDefinitions=[{'AttributeName': 'id', 'AttributeType': 'S'}],
                                           KeySchema=[{'AttributeName': 'id', 'KeyType': 'HASH'}])
    server.resource('dynamodb').Table(TABLE).put_item(Item=TODO)
    role = harness.make_role(server, 'bench-functions', inline=POLICY)
    goals = {('empty', 'C'): (200, None), ('todo', 'C'): (400, 12000)}
    for language in RUNTIMES:
        for kind, code in (('empty', empty_package(language)), ('todo', package('todo', language))):
            name = f'bench-{kind}-{language.lower()}'
            stage = w.api_path(server, deploy(server, name, language, code, role), name, ['todos', '{id}'])
            write_requests(server, name, f'{stage}/todos/{TODO["id"]}', 'answered' if kind == 'empty' else TODO['title'])
            bench.load(name, connections=16, seconds=START_SECONDS)           # environments start
            one, many = (bench.medians(name, lambda: bench.load(name, connections=n, seconds=bench.seconds, warmup=bench.warmup)) for n in (1, 16))
            p50, rate = goals.get((kind, language), (None, None))
            what = f'{language}, {"an empty handler" if kind == "empty" else "one GetItem inside"}, through the REST API'
            bench.row(f'{what}, 1 connection', report.rate(one), goal=p50 and f'p50 ≤ {p50 / 1000} ms', holds=p50 and one['p50_us'] <= p50, figures=one)
            bench.row(f'{what}, 16 connections', report.rate(many), goal=rate and f'≥ {rate:,}/s', holds=rate and many['rate'] >= rate, figures=many)
        names = [f'bench-cold-todo-{language.lower()}-{n}' for n in range(bench.cold_functions)]
        sign = prepared.Signer('lambda', server.port, server.access_key, server.secret_key)
        event = json.dumps({'resource': '/todos/{id}', 'path': f'/todos/{TODO["id"]}', 'httpMethod': 'GET', 'headers': {}, 'body': None,
                            'pathParameters': {'id': TODO['id']}, 'requestContext': {}, 'isBase64Encoded': False}).encode()
        for name in names:
            deploy(server, name, language, own_package('todo', language, name), role)
        prepared.write(w.in_work('cold'), [(sign.request(f'/2015-03-31/functions/{name}/invocations', event), TODO['title']) for name in names])
        cold = bench.load('cold', connections=1)
        c = language == 'C'
        bench.row(f'{language}, cold start with one GetItem', f'p50 {cold["p50_us"] / 1000:.1f} ms, slowest {cold["p99_us"] / 1000:.1f} ms',
                  goal='≤ 5 ms' if c else None, holds=cold['p50_us'] <= 5000 if c else None, figures=cold)
        peak = peak_kib(server, language)
        bench.row(f'{language}, peak memory of a function with one GetItem', f'{peak / 1024:.1f} MiB', goal='≤ 3 MB' if c else None,
                  holds=peak * 1024 <= 3_000_000 if c else None, figures={'kib': peak})
    size = os.path.getsize(os.path.join(ROOT, 'build', 'examples', 'todo', 'bootstrap'))
    bench.row('The todo list in C, stripped', f'{size / 1e6:.2f} MB', goal='≤ 6 MB', holds=size <= 6_000_000, figures={'bytes': size})
