"""The command line: every option of every command refuses what it cannot use, and says which option, which value, and what would do."""
import os
import re
import stat
import subprocess

import pytest

import harness

# Of each option that takes a value: values that it refuses, with what is said of them. An option of several commands is tried with each.
BAD = {
    '--data': {'': 'it is empty'},
    '--listen': {'4567': 'like 127.0.0.1:4566', ':4567': 'like 127.0.0.1:4566', '127.0.0.1': 'like 127.0.0.1:4566', '127.0.0.1:': 'like 127.0.0.1:4566',
                 '127.0.0.1:65536': 'like 127.0.0.1:4566', '127.0.0.1:0': 'from 1 to 65535', '127.0.0.1:00': 'from 1 to 65535', '127.0.0.1:-1': 'like 127.0.0.1:4566', '[::1]': 'like 127.0.0.1:4566',
                 'localhost:4567': 'like 127.0.0.1:4566', '0.0.0.0:4567': '--tls-cert FILE'},
    '--tls-cert': {'': 'it is empty'},
    '--tls-key': {'': 'it is empty'},
    '--account': {'12': '12 digits', '12345678901x': '12 digits', '': '12 digits'},
    '--region': {'US EAST': 'like us-east-1', '': 'like us-east-1'},
    '--log': {'loud': 'error, warn, info and debug', '': 'error, warn, info and debug'},
    '--access-log': {'': 'it is empty'},
    '--client-memory': {'15': 'from 16 to 1048576', '1048577': 'from 16 to 1048576', '1G': 'from 16 to 1048576', '-1': 'from 16 to 1048576'},
    '--functions-memory': {'127': 'from 128 to 16777216', '16777217': 'from 128 to 16777216', '': 'from 128 to 16777216'},
    '--functions-processes': {'63': 'from 64 to 4194304', '4194305': 'from 64 to 4194304', 'many': 'from 64 to 4194304'},
    '--functions-cpu': {'4': 'from 5 to 100000', '100001': 'from 5 to 100000', '50%': 'from 5 to 100000'},
    '--concurrency': {'0': 'from 1 to 100000', '100001': 'from 1 to 100000', '18446744073709551617': 'from 1 to 100000'},
    '--runtime': {'python3.11': 'like python3.13=', 'cobol85=/bin/sh': 'python3.9, python3.10', 'python3.11=/nowhere/python': 'no program'},
    '--lang': {'java': 'c and python', '': 'c and python'},
    '--timeout': {'0': 'from 1 to 86400', '86401': 'from 1 to 86400', '1s': 'from 1 to 86400'},
    '--method': {'get': 'like POST', '': 'like POST'},
    '--path': {'todos': 'begin with /', '/a b': '%20', '/a?b=1': '--query'},
    '--resource': {'todos': 'begin with /'},
    '--stage': {'a/b': 'letters, digits, _ and -', '': 'letters, digits, _ and -'},
    '--query': {'?a=1': 'without its ?', 'a b': '%20'},
    '--header': {'X': 'Content-Type: application/json', 'a b: c': 'Content-Type: application/json', 'X: a\nb': 'line breaks'},
}
ANYTHING = {'--event', '--body', '--body-file'}         # files that are opened when they are needed, and text
COMMANDS = 'serve', 'status', 'env', 'trust', 'doctor', 'repair', 'runtime', 'new', 'run', 'event', 'version'


def run(*words, **more):
    return subprocess.run([harness.BINARY, *words], capture_output=True, text=True, timeout=60, **more)


def options():
    """(command, option, whether it takes a value), from the program's own help."""
    found = []
    for command in COMMANDS:
        for option, gap in re.findall(r'^  (--[a-z-]+)( +)', run(command, '--help').stdout, re.M):
            found.append((command, option, len(gap) <= max(14 - len(option), 0) + 1))       # else the column of values is empty
    return found


OPTIONS = options()


def test_every_option_is_tried():
    assert {option for _, option, takes in OPTIONS if takes} == set(BAD) | ANYTHING
    assert set(COMMANDS) == set(re.findall(r'^  cloudless ([a-z]+)', run('--help').stdout, re.M))


@pytest.mark.parametrize('command, option', [(command, option) for command, option, takes in OPTIONS if takes and option in BAD])
def test_values_that_will_not_do(command, option):
    for value, says in BAD[option].items():
        for words in ([option, value], [f'{option}={value}']):
            done = run(command, *words)
            assert done.returncode == 2 and done.stdout == '', (words, done)
            assert done.stderr.startswith(f'cloudless: {option} ') and value in done.stderr and says in done.stderr, (words, done)


@pytest.mark.parametrize('command, option, takes', OPTIONS)
def test_values_that_are_missing_and_that_are_too_many(command, option, takes):
    """What follows an option is no value of it when it is an option."""
    tries = [[option], [option, '--help-me']] if takes else [[option + '=yes']]
    for words in tries:
        done = run(command, *words)
        assert done.returncode == 2 and done.stdout == '' and done.stderr.startswith(f'cloudless: {option} '), (words, done)
        assert ('needs a value' if takes else 'it takes no value') in done.stderr, (words, done)


@pytest.mark.parametrize('words, says', [
    (['fly'], "no command 'fly'; see cloudless --help"), (['runtime', 'lst'], "no command 'runtime lst'"), (['help', 'fly'], "no command 'fly'"),
    (['--listen', '127.0.0.1:4566'], 'options stand behind one'), (['-x'], "no command '-x'"), (['serve', '--colour', 'red'], "'--colour' is no option of 'serve'"),
    (['serve', 'now'], "'now' is no option of 'serve'"), (['new'], "'new' needs NAME"), (['run'], "'run' needs PROGRAM"), (['event', 'sqs'], "no event 'sqs'"),
    (['serve', '--tls-cert', 'x'], 'go in pairs'), (['serve', *['--listen', '127.0.0.1:4566'] * 9], 'more than 8'),
], ids=lambda value: ' '.join(value) if isinstance(value, list) else '')
def test_wrong_words(words, says):
    done = run(*words)
    assert done.returncode == 2 and done.stdout == '' and says in done.stderr and done.stderr.count('\n') == 1


def test_the_version():
    said = {(run(word).stdout, run(word).returncode) for word in ('version', '--version', '-v')}
    assert len(said) == 1 and said.pop() == (f'cloudless {open(os.path.join(harness.ROOT, "VERSION")).read().strip()}\n', 0)


@pytest.mark.parametrize('env, says', [
    ({'CLOUDLESS_ROOT_ACCESS_KEY_ID': 'AKIAPRESET'}, 'CLOUDLESS_ROOT_ACCESS_KEY_ID without CLOUDLESS_ROOT_SECRET_ACCESS_KEY'),
    ({'CLOUDLESS_ROOT_SECRET_ACCESS_KEY': 'secret'}, 'CLOUDLESS_ROOT_SECRET_ACCESS_KEY without CLOUDLESS_ROOT_ACCESS_KEY_ID'),
    ({'CLOUDLESS_ROOT_ACCESS_KEY_ID': 'ASIAPRESET', 'CLOUDLESS_ROOT_SECRET_ACCESS_KEY': 'secret'}, 'does not begin with ASIA'),
    ({'CLOUDLESS_ROOT_ACCESS_KEY_ID': 'AKIAPRESET', 'CLOUDLESS_ROOT_SECRET_ACCESS_KEY': 'two\nlines'}, 'neither blanks nor control characters'),
])
@pytest.mark.parametrize('more', [[], ['--supervised']], ids=' '.join)
def test_root_keys_that_will_not_do(tmp_path, env, says, more):
    done = run('serve', '--data', str(tmp_path), '--listen', f'127.0.0.1:{harness.free_port()}', *more, env={**os.environ, **env})
    assert done.returncode == 2 and says in done.stderr and not os.path.exists(tmp_path / 'credentials')
    assert not any(secret in done.stderr for secret in ('two', '"secret"'))


def test_a_data_directory_without_a_server(tmp_path):
    for command in 'env', 'status', 'trust':
        done = run(command, '--data', str(tmp_path / 'none'))
        assert done.returncode == 1 and done.stdout == '' and f'no server has run with it; start `cloudless serve --data {tmp_path}/none`' in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason='needs another user')
def test_a_data_directory_of_another_user(server, tmp_path):
    """Only the owner may read the key: it says whose it is, not that there is none."""
    binary = tmp_path / 'cloudless'
    binary.write_bytes(open(harness.BINARY, 'rb').read())
    binary.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if not stat.S_IMODE(os.stat(folder).st_mode) & 1:
            os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | 0o11)
    for command in 'env', 'status', 'trust':
        done = subprocess.run([binary, command, '--data', server.data], capture_output=True, text=True, user='nobody', group='nogroup', timeout=60)
        assert done.returncode == 1 and done.stdout == '' and 'for the user root only; do it as that user or as root (sudo)' in done.stderr, done
    for command in 'doctor', 'repair':
        done = subprocess.run([binary, command, '--data', server.data], capture_output=True, text=True, user='nobody', group='nogroup', timeout=60)
        assert done.returncode == 1 and f'{server.data}/store' in done.stdout + done.stderr and 'Permission denied' in done.stdout + done.stderr, done


@pytest.mark.parametrize('make, says', [
    (lambda path: path.write_text(''), 'is a file, no directory'), (lambda path: (path / 'credentials.new').mkdir(parents=True), '/credentials: cannot be written: Is a directory'),
    (lambda path: (path / 'store').mkdir(parents=True) or (path / 'store/lock').mkdir(), 'store/lock'),
], ids=['a file', 'credentials', 'the store'])
def test_a_data_directory_that_cannot_be_used(tmp_path, make, says):
    """Which path, and why."""
    make(tmp_path / 'data')
    done = run('serve', '--data', str(tmp_path / 'data'), '--listen', f'127.0.0.1:{harness.free_port()}')
    assert done.returncode == 1 and says in done.stderr and str(tmp_path) in done.stderr and 'input/output failed' not in done.stderr


def test_an_address_that_cannot_be_had(server, tmp_path):
    """203.0.113.1 is of a network for documentation."""
    done = run('serve', '--data', str(tmp_path), '--listen', f'127.0.0.1:{server.port}')
    assert done.returncode == 1 and done.stderr == f'cloudless: --listen 127.0.0.1:{server.port}: the port is taken by another program; stop it, or choose another\n'
    (tmp_path / 'any').write_text('')
    done = run('serve', '--data', str(tmp_path), '--listen', '203.0.113.1:4566', '--tls-cert', str(tmp_path / 'any'), '--tls-key', str(tmp_path / 'any'))
    assert done.returncode == 1 and done.stderr == 'cloudless: --listen 203.0.113.1:4566: no interface of this machine has that address\n'


@pytest.mark.parametrize('endpoint', ['', 'junk', 'url = \n', 'region = us-east-1\n'])
def test_notes_of_a_server_that_are_damaged(tmp_path, endpoint):
    (tmp_path / 'endpoint').write_text(endpoint)
    (tmp_path / 'credentials').write_text('junk')
    for command in 'env', 'status':
        done = run(command, '--data', str(tmp_path))
        assert done.returncode == 1 and done.stdout == '' and 'is not what a server writes; start `cloudless serve' in done.stderr


def test_a_program_that_is_not_on_the_path(tmp_path):
    (tmp_path / 'bootstrap').write_text('')
    done = run('run', 'bootstrap', cwd=tmp_path, input='{}\n')
    assert done.returncode == 1 and done.stderr.startswith('cloudless: bootstrap: not on PATH; the one here is ./bootstrap\n')


def test_doctor_says_ok_or_not(server):
    """Not both in a line: what is not there is not "ok", though functions run without it."""
    lines = run('doctor', '--data', server.data).stdout.splitlines()
    assert all(line[:5] in ('ok   ', '--   ') for line in lines)
    assert not [line for line in lines if line.startswith('ok') and re.search(r'\bno\b|instead|cannot|stopped', line)]
    assert [line for line in lines if line.startswith('--   data: store') and 'a server has it open' in line]
