"""`cloudless run` around its events: where they come from, terminals, signals, debuggers, functions that hang, crash or stream;
and `cloudless event`, which makes them."""
import base64
import json
import os
import pty
import re
import select
import signal
import subprocess

import pytest

import harness

# Without sanitizers, whatever the program under test has: valgrind takes no such program, and below gdb none can look for leaks.
ROUTER = os.path.join(harness.ROOT, 'build', 'examples', 'router', 'bootstrap')
ENV = {**os.environ, 'AWS_ACCESS_KEY_ID': 'AKIDEXAMPLE', 'AWS_SECRET_ACCESS_KEY': 'none', 'AWS_REGION': harness.REGION}
PING = {'operation': 'ping'}

# Does what its event says: ends, hangs while it ignores signals (and says so in a file), answers in pieces, or echoes.
PROGRAM = '''#!/usr/bin/env python3
import http.client, json, os, signal, sys
api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
def ask(method, path, body=None, headers={}):
    api.request(method, '/2018-06-01/runtime/invocation/' + path, body, headers)
    answer = api.getresponse()
    return answer, answer.read()
while True:
    answer, text = ask('GET', 'next')
    if answer.status == 410:
        break
    id, event = answer.headers['Lambda-Runtime-Aws-Request-Id'], json.loads(text)
    if event.get('crash'):
        os.kill(os.getpid(), signal.SIGSEGV)
    if event.get('deaf'):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if event.get('hang'):
        signal.alarm(120)               # should the test fail
        open('pid.tmp', 'w').write(str(os.getpid()))
        os.rename('pid.tmp', 'pid')
        while True:
            signal.pause()
    if event.get('orphan'):             # ends what started it; once told to end it asks again, maybe from another process
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        os.kill(os.getppid(), signal.SIGKILL)
        signal.sigwait([signal.SIGTERM])
        if event['orphan'] == 'other':
            other = os.fork()
            if other:
                os.waitpid(other, 0)
                sys.exit()
            api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    if event.get('twice'):
        again, _ = ask('GET', 'next')
        event['again'] = again.status
    if event.get('stream'):
        api.putrequest('POST', '/2018-06-01/runtime/invocation/' + id + '/response')
        api.putheader('Lambda-Runtime-Function-Response-Mode', 'streaming')
        api.putheader('Transfer-Encoding', 'chunked')
        api.endheaders()
        api.send(('4\\r\\nhalf\\r\\n0\\r\\n' + event['stream'] + '\\r\\n').encode())
        api.getresponse().read()
        continue
    ask('POST', id + '/response', json.dumps(event))
'''


@pytest.fixture
def program(tmp_path):
    return harness.executable(tmp_path / 'bootstrap', PROGRAM)


def run(*words, stdin='', cwd=None, env=ENV):
    return subprocess.run([harness.BINARY, 'run', *map(str, words)], input=stdin, capture_output=True, text=True, timeout=120, cwd=cwd, env=env)


def start(*words, cwd, stdin=subprocess.PIPE, **how):
    return subprocess.Popen([harness.BINARY, 'run', *map(str, words)], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=ENV, **how)


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as f:
            return f.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


# ---- where events come from ----

PRETTY = '{\n  "n": 1\n}\n'


@pytest.mark.parametrize('words, stdin, says', [
    ([], PRETTY, 'line 1 of stdin is no JSON: { (a line is an event; with --event - the whole of stdin is one)'),
    ([], '{"n":1}\n\nname=value', 'line 3 of stdin is no JSON: name=value ('),
    ([], '{"n":1} {"n":2}\n', 'line 1 of stdin is no JSON: {"n":1} {"n":2} ('),
    ([], '', 'stdin held no event'),
    ([], '\n \n', 'stdin held no event'),
    (['--event', '-'], '', 'stdin holds no event'),
    (['--event', '-'], '{"n":1,}', 'stdin is no JSON: {"n":1,}'),
    (['--event', 'broken.json'], '', 'broken.json is no JSON: <html>\n'),
    (['--event', '.'], '', 'cloudless: .: Is a directory'),
    ([], '"' + 'a' * (6 << 20) + '"', 'line 1 of stdin has more than Lambda\'s 6 MB'),
    (['--event', '-'], '[' + '1,' * (4 << 20) + '1]', 'stdin has more than Lambda\'s 6 MB'),
])
def test_what_is_no_event_is_refused(program, tmp_path, words, stdin, says):
    (tmp_path / 'broken.json').write_text('<html>')
    done = run(*words, './bootstrap', stdin=stdin, cwd=tmp_path)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert done.stdout == ('{"n": 1}\n' if stdin.startswith('{"n":1}\n') else '')


def test_events_over_several_lines_and_large_ones(program, tmp_path):
    (tmp_path / 'event.json').write_text(PRETTY)
    large = json.dumps({'n': 'a' * (5 << 20)})
    done = run('--event', 'event.json', '--event', '-', './bootstrap', stdin=large, cwd=tmp_path)
    assert done.returncode == 0 and [json.loads(line) for line in done.stdout.splitlines()] == [{'n': 1}, json.loads(large)]
    lines = run('./bootstrap', stdin=f'{large}\n{{}}\n{large}', cwd=tmp_path)
    assert lines.returncode == 0 and [len(line) for line in lines.stdout.splitlines()] == [len(large), 2, len(large)]


def test_answers_come_before_stdin_ends(program, tmp_path):
    with start('./bootstrap', cwd=tmp_path) as process:
        for n in range(3):
            process.stdin.write(json.dumps({'n': n}))      # in two pieces
            process.stdin.flush()
            process.stdin.write('\n')
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {'n': n}
        process.stdin.close()
        assert process.wait(60) == 0 and process.stderr.read() == ''


# ---- a terminal ----

class Terminal:
    """A run with a terminal of its own, in the foreground there; whatever signals the tests' own process ignores, as under nohup."""

    def __init__(self, *words, cwd):
        self.pid, self.fd = pty.fork()
        self.text = ''
        if self.pid == 0:
            try:
                for number in signal.SIGINT, signal.SIGQUIT, signal.SIGHUP:
                    signal.signal(number, signal.SIG_DFL)
                os.chdir(cwd)
                os.execve(harness.BINARY, [harness.BINARY, 'run', *map(str, words)], ENV)
            finally:
                os._exit(127)

    def type(self, text):
        os.write(self.fd, text.encode())

    def until(self, says):
        while says not in self.text:
            assert select.select([self.fd], [], [], 60)[0], self.text
            self.text += os.read(self.fd, 4096).decode(errors='replace')

    def status(self):
        harness.until(lambda: os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), 'run goes on')
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


def test_events_are_typed_and_ended(program, tmp_path):
    terminal = Terminal('./bootstrap', '--event', 'x.json', cwd=tmp_path)
    terminal.until('events come from this terminal: JSON, one a line; Ctrl-D ends. (Options of run stand before the program.)')
    terminal.type('{"n":1}\n')
    terminal.until('{"n": 1}')
    terminal.type('{"n":2}\n')
    terminal.until('{"n": 2}')
    terminal.type('\x04')
    assert terminal.status() == 0 and terminal.text.count('events come from') == 1


@pytest.mark.parametrize('disposition', [signal.default_int_handler, signal.SIG_IGN], ids=['', 'ignored at the start'])
def test_control_c_ends_it_at_once(program, tmp_path, disposition):
    before = signal.signal(signal.SIGINT, disposition)
    try:
        terminal = Terminal('./bootstrap', cwd=tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    terminal.until('events come from this terminal')
    terminal.type('\x03')
    terminal.until('./bootstrap ended ')
    assert terminal.status() == 1


def test_a_debugger_on_a_terminal(tmp_path):
    """It is not disturbed at the end, and a program started again there gets its events again."""
    (tmp_path / 'ping.json').write_text(json.dumps(PING))
    terminal = Terminal('--event', 'ping.json', 'gdb', '-q', '-nx', '-ex', 'set style enabled off', ROUTER, cwd=tmp_path)
    for _ in range(2):
        terminal.text = ''
        terminal.type('run\n')
        terminal.until('exited normally]')
        terminal.until('(gdb)')
        assert terminal.text.count('"pong"') == 1 and 'SIGTERM' not in terminal.text, terminal.text
    terminal.type('quit\n')
    assert terminal.status() == 0


# ---- debuggers and scripts between ----

@pytest.mark.parametrize('between', [
    ['gdb', '-batch', '-nx', '-ex', 'run'],
    ['valgrind', '-q'],
    ['sh', '-c', '"$0"'],
    ['sh', '-c', '"$0"; exit $?'],
    ['python3', '-c', 'import subprocess, sys; sys.exit(subprocess.call(sys.argv[1]))'],
    ['env', 'A=b'],
], ids=lambda words: ' '.join(words)[:20])
def test_what_stands_between_ends_quietly(tmp_path, between):
    (tmp_path / 'ping.json').write_text(json.dumps(PING))
    done = run('--event', 'ping.json', '--event', 'ping.json', *between, ROUTER, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.count('"pong"\n') == 2, done
    for noise in ('FATAL', 'cloudless:', 'SIGTERM', 'Traceback', 'Terminated'):
        assert noise not in done.stdout + done.stderr, done


def test_a_program_started_again_gets_its_open_event_again(tmp_path):
    (tmp_path / 'ping.json').write_text(json.dumps(PING))
    done = run('--event', 'ping.json', 'gdb', '-batch', '-nx', '-ex', 'catch syscall sendmsg', '-ex', 'run', '-ex', 'delete', '-ex', 'catch syscall sendmsg',
               '-ex', 'continue', '-ex', 'run', '-ex', 'delete', '-ex', 'continue', ROUTER, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.count('"pong"\n') == 1, done
    assert 'ping.json: once more, as the program was started anew' in done.stderr and 'FATAL' not in done.stderr


def test_events_of_stdin_come_once(tmp_path):
    (tmp_path / 'ping.json').write_text(json.dumps(PING))
    for words in ([], ['--event', '-'], ['--event', 'ping.json', '--event', '-']):
        done = run(*words, 'gdb', '-batch', '-nx', '-ex', 'run', '-ex', 'run', ROUTER, stdin=json.dumps(PING), cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, '') and done.stdout.count('exited normally]') == 2, done
        assert done.stdout.count('"pong"\n') == max(1, words.count('--event')), done


def test_a_program_that_asks_twice_is_refused(program, tmp_path):
    done = run('./bootstrap', stdin='{"twice":1}', cwd=tmp_path)
    assert done.returncode == 0 and json.loads(done.stdout)['again'] == 403 and done.stderr == ''


def test_what_starts_the_program_for_ever_ends(program, tmp_path):
    done = run('sh', '-c', 'while :; do ./bootstrap; done', stdin='{}', cwd=tmp_path)
    assert done.returncode == 0 and done.stdout == '{}\n'


LIVES_ON = ['python3', '-c', 'import signal, subprocess; print(subprocess.call("./bootstrap"), flush=True); signal.pause()']


@pytest.mark.parametrize('words, event, says, killed', [
    (['./bootstrap'], '{"deaf": 1}', '', ['./bootstrap']),
    (['sh', '-c', './bootstrap; echo $?'], '{"deaf": 1}', '137\n', ['process N, started by sh,']),
    (LIVES_ON, '{}', '-15\n', ['python3']),
    (LIVES_ON, '{"deaf": 1}', '-9\n', ['process N, started by python3,', 'python3']),
], ids=['program', 'program below', 'around', 'both'])
def test_what_does_not_end_is_killed(program, tmp_path, words, event, says, killed):
    """The program first; what stands around it still has time for its own end."""
    done = run(*words, stdin=event, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, f'{event}\n{says}')
    lines = re.sub(r'process \d+', 'process N', done.stderr).splitlines()
    assert [line for line in lines if 'killed' in line] == [f'cloudless: {what} does not end; it is killed' for what in killed]


@pytest.mark.parametrize('asks', ['same', 'other'])
def test_a_program_that_outlives_what_started_it_gets_no_more_events(program, tmp_path, asks):
    event = json.dumps({'orphan': asks})
    done = run('sh', '-c', './bootstrap; exit $?', stdin=f'{event}\n{{}}\n', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, 'cloudless: line 1 of stdin: sh ended by signal 9 (Killed)\n')
    assert done.stdout == f'{event}\n'


# ---- signals ----

@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize('event', ['{"hang":1}', '{"hang":1,"deaf":1}'])
def test_the_function_ends_with_run(program, tmp_path, number, event):
    with start('./bootstrap', cwd=tmp_path) as process:
        process.stdin.write(event + '\n')
        process.stdin.flush()
        harness.until((tmp_path / 'pid').exists)
        pid = int((tmp_path / 'pid').read_text())
        process.send_signal(number)
        assert process.wait(60) == (-number if number == signal.SIGKILL else 128 + number)
        harness.until(lambda: not alive(pid))


def test_the_function_below_a_script_ends_with_run(program, tmp_path):
    with start('sh', '-c', './bootstrap; exit $?', cwd=tmp_path) as process:
        process.stdin.write('{"hang":1,"deaf":1}\n')
        process.stdin.flush()
        harness.until((tmp_path / 'pid').exists)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        harness.until(lambda: not alive(int((tmp_path / 'pid').read_text())))


# ---- functions that fail ----

def test_a_function_that_is_late_is_said_and_goes_on(program, tmp_path):
    with start('--timeout', '1', './bootstrap', cwd=tmp_path) as process:
        process.stdin.write('{}\n{"hang":1}\n')
        process.stdin.flush()
        assert process.stderr.readline() == 'cloudless: line 2 of stdin: no answer after 1 s, the time of --timeout; Lambda would end the function now\n'
        harness.until((tmp_path / 'pid').exists)
        assert process.poll() is None and alive(int((tmp_path / 'pid').read_text()))
        process.terminate()
        process.wait(60)


@pytest.mark.parametrize('words, stdin, where', [([], '{}\n\n{"crash":1}\n', 'line 3 of stdin'), (['--event', 'crash.json'], '', 'crash.json')])
def test_a_crash_names_its_event(program, tmp_path, words, stdin, where):
    (tmp_path / 'crash.json').write_text('{"crash":1}')
    done = run(*words, './bootstrap', stdin=stdin, cwd=tmp_path)
    assert done.returncode == 1 and f'cloudless: {where}: ./bootstrap ended by signal 11 (Segmentation fault)' in done.stderr


def test_a_streamed_answer_that_ends_in_an_error(program, tmp_path):
    error = base64.b64encode(b'{"errorMessage":"no luck"}').decode()
    failed = json.dumps({'stream': f'Lambda-Runtime-Function-Error-Type: Late\r\nLambda-Runtime-Function-Error-Body: {error}\r\n'})
    done = run('./bootstrap', stdin=f'{{}}\n{failed}\n{{}}\n', cwd=tmp_path)
    assert done.returncode == 1 and done.stdout == '{}\n{}\n'
    assert done.stderr == 'cloudless: line 2 of stdin: function error Late: {"errorMessage":"no luck"}\n'
    fine = run('./bootstrap', stdin=json.dumps({'stream': 'Other: x\r\n'}), cwd=tmp_path)
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, 'half\n', '')


# ---- cloudless event ----

def event(*words, stdin=b''):
    return subprocess.run([harness.BINARY, 'event', *map(str, words)], input=stdin, capture_output=True, timeout=60)


ORDERS = harness.bootstrap('orders')
SOURCES = os.path.join(harness.ROOT, 'examples', 'orders')


@pytest.mark.parametrize('kind', ['apigw-proxy', 'http-api-proxy'])
@pytest.mark.parametrize('words, status, says', [
    (['--path', '/openapi.json'], 200, '"openapi"'),
    (['--path', '/openapi.json', '--stage', 'dev'], 200, '"openapi"'),
    (['--path', '/nothing'], 404, 'error'),
    (['--path', '/orders', '--method', 'POST', '--body', '{"order_number":7}'], 400, 'order_number'),
    (['--path', '/orders', '--method', 'POST', '--body', '{"order_number":7}', '--header', 'Content-Type: application/x-json'], 400, 'order_number'),
    (['--path', '/orders', '--query', 'limit=none'], 400, 'limit'),
])
def test_an_application_takes_the_events(kind, words, status, says):
    made = event(kind, *words)
    done = run(ORDERS, stdin=made.stdout.decode(), cwd=SOURCES, env={**ENV, 'TABLE_NAME': 'orders'})
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer['statusCode'] == status and says in answer['body'], answer


@pytest.mark.parametrize('body', [b'plain', b'a\nb\n', b'\xff\x00\xfe', b''], ids=['text', 'lines', 'bytes', 'nothing'])
@pytest.mark.parametrize('of', ['file', 'stdin'])
def test_a_body_of_a_file(tmp_path, body, of):
    (tmp_path / 'body').write_bytes(body)
    made = json.loads(event('http-api-proxy', '--method', 'PUT', '--header', 'Content-Type: application/octet-stream', '--body-file',
                            tmp_path / 'body' if of == 'file' else '-', stdin=body).stdout)
    assert (made.get('body', ''), made['isBase64Encoded']) == (base64.b64encode(body).decode(), bool(body))
    assert made['headers']['content-length'] == str(len(body))


@pytest.mark.parametrize('words, status, says', [
    (['apigw-proxy', 'extra'], 2, "event takes one name; 'extra' is one too many"),
    (['sqs'], 2, "there is no event 'sqs'; there are apigw-proxy (REST API) and http-api-proxy (HTTP API)"),
    (['apigw-proxy', '--path', '/a?x=1'], 2, 'what follows a ? goes into --query'),
    (['apigw-proxy', '--path', '/a#b'], 2, 'is %3F or %23'),
    (['apigw-proxy', '--path', '/a b'], 2, 'written like %20'),
    (['apigw-proxy', '--path', '/\u00e4'], 2, 'written like %20'),
    (['apigw-proxy', '--query', '?a=1'], 2, 'without its ?'),
    (['apigw-proxy', '--query', 'a=1', '--query', 'a=2'], 2, 'there is one already; several parameters are written a=1&b=2'),
    (['apigw-proxy', '--query', 'a=1 2'], 2, 'written like %20'),
    (['apigw-proxy', '--query', 'a=1#b'], 2, 'written like %20'),
    (['apigw-proxy', '--header', 'a b: v'], 2, 'a name has no blanks'),
    (['apigw-proxy', '--header', 'a : v'], 2, 'a name has no blanks'),
    (['apigw-proxy', '--header', ': v'], 2, 'it should be like'),
    (['apigw-proxy', '--header', 'a: v\r\nb: w'], 2, 'neither line breaks'),
    (['apigw-proxy', '--header', 'a: v\nb: w'], 2, 'neither line breaks'),
    (['apigw-proxy', '--header', 'a: \x7f'], 2, 'neither line breaks'),
    (['apigw-proxy', '--stage', 'a/b'], 2, 'letters, digits, _ and - only'),
    (['apigw-proxy', '--stage', ''], 2, 'letters, digits, _ and - only'),
    (['apigw-proxy', '--stage', '$default'], 2, 'a REST API has no stage $default'),
    (['apigw-proxy', '--body', 'a', '--body-file', 'b'], 2, 'there is a --body already'),
    (['apigw-proxy', '--body-file', 'missing'], 1, 'cloudless: missing: No such file'),
    (['apigw-proxy', '--body-file', '/'], 1, 'cloudless: /: Is a directory'),
    (['http-api-proxy', '--path', '/a', '--resource', '/b'], 1, 'resource /b does not take path /a'),
])
def test_what_is_no_request_is_refused(words, status, says):
    done = event(*words)
    assert (done.returncode, done.stdout) == (status, b'') and says in done.stderr.decode(), done.stderr


def test_the_largest_body(tmp_path):
    (tmp_path / 'body').write_bytes(b'a' * (6 << 20) + b'a')
    done = event('apigw-proxy', '--body-file', tmp_path / 'body')
    assert done.returncode == 1 and b'more than the 6 MB of an event' in done.stderr


# ---- cloudless new ----

@pytest.mark.parametrize('name', ['', '-a', 'a b', 'a/b', 'A', '\u00e4', 'a' * 49])
def test_names_of_projects(tmp_path, name):
    done = subprocess.run([harness.BINARY, 'new', '--', name], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and f"cloudless: '{name}': a project has one name" in done.stderr and os.listdir(tmp_path) == []
