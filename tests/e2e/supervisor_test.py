"""`serve --supervised`: a crashed server is started again at once, its sockets survive, its obituary is kept, nothing waits for
its log's reader; `cloudless status`."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import urllib.request

import pytest

import harness

# A sanitizer turns the signal into its report and an exit status.
SEGV = r'exit status \d+' if 'san-' in harness.BINARY else r'signal 11 \(Segmentation fault\)'


def read(path):
    return dict(line.split(' = ', 1) for line in open(path).read().split('\n\n')[0].splitlines())


def gone(pid):
    try:
        return open(f'/proc/{pid}/stat').read().split(') ')[1][0] == 'Z'
    except OSError:
        return True


class Supervised(harness.Server):
    def __init__(self, **how):
        super().__init__(args=['--supervised', *how.pop('args', [])], **how)

    def start(self):
        super().start()
        self.await_server('0')
        return self

    def await_server(self, restarts):
        harness.until(lambda: os.path.exists(self.data + '/supervisor') and read(self.data + '/supervisor')['restarts'] == restarts)

    @property
    def child(self):
        return int(read(self.data + '/supervisor')['server'])

    def obituaries(self):
        folder = self.data + '/obituaries'
        return [os.path.join(folder, name) for name in sorted(os.listdir(folder))] if os.path.exists(folder) else []

    def crash(self, number=signal.SIGKILL):
        """Ends the server, and waits for its end: what it has accepted is lost with it, what comes later is the next one's."""
        restarts, child = int(read(self.data + '/supervisor')['restarts']), self.child
        os.kill(child, number)
        harness.until(lambda: gone(child))
        return str(restarts + 1)


@pytest.fixture
def supervised():
    server = Supervised().start()
    yield server
    server.stop()
    server.remove()


def status_of(server):
    run = subprocess.run([harness.BINARY, 'status', '--data', server.data], capture_output=True, text=True)
    return run.returncode, run.stdout


@pytest.mark.smoke
def test_a_crash_is_an_interruption(supervised):
    dynamodb = supervised.client('dynamodb')
    dynamodb.create_table(TableName='table', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                          AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
    dynamodb.put_item(TableName='table', Item={'k': {'S': 'kept'}})
    restarts = supervised.crash(signal.SIGSEGV)
    for _ in range(20):                                         # new connections wait; none is refused
        with urllib.request.urlopen(supervised.url + '/_cloudless/health') as answer:
            assert answer.status == 200
    supervised.await_server(restarts)
    fresh = supervised.client('dynamodb')
    assert fresh.get_item(TableName='table', Key={'k': {'S': 'kept'}})['Item'] == {'k': {'S': 'kept'}}
    obituary, = supervised.obituaries()
    text = read(obituary)
    assert re.match(SEGV, text['how']) and text['served'] == 'yes' and text['restarts'] == '0'
    assert float(text['uptime_seconds']) > 0 and re.fullmatch(r'\d+\.\d+\.\d+', text['version'])
    assert 'supervisor.server_died' in ''.join(supervised.log)
    code, table = status_of(supervised)
    assert code == 0 and re.search(r'^state +ready$', table, re.M) and re.search(r'^crashes +\S+Z ' + SEGV, table, re.M)
    assert re.search(rf'^supervisor +pid {supervised.process.pid}, 1 restarts$', table, re.M)


def test_functions_after_a_crash(supervised):
    """What the dead server's launcher left is swept, and environments start again."""
    function = harness.deploy_function(supervised, 'function', 'import os\ndef handler(event, context):\n    return event\n')
    invoke = lambda: supervised.client('lambda').invoke(FunctionName=function, Payload=b'{"n":1}')['Payload'].read()
    assert invoke() == b'{"n": 1}'
    supervised.await_server(supervised.crash())
    assert invoke() == b'{"n": 1}'


def test_crashes_in_a_row(supervised):
    """Each comes back; the last lines of the log are in the obituary."""
    for _ in range(3):
        supervised.await_server(supervised.crash(signal.SIGABRT))
        urllib.request.urlopen(supervised.url + '/_cloudless/health')
    obituaries = supervised.obituaries()
    assert len(obituaries) >= 3 and all('signal 6' in read(path)['how'] for path in obituaries[:1])
    assert 'tls.authority_made' in open(obituaries[0]).read()


def test_it_ends_with_its_server(supervised):
    """SIGTERM to the server itself is a clean end; the supervisor does not start it again."""
    child = supervised.child
    os.kill(child, signal.SIGTERM)
    assert supervised.process.wait(timeout=30) == 0
    assert not supervised.obituaries() and gone(child)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', supervised.port))
    code, table = status_of(supervised)
    assert code == 1 and re.search(r'^state +not running$', table, re.M)
    supervised.process = None


def test_the_server_ends_with_it(supervised):
    child = supervised.child
    supervised.process.kill()
    supervised.process.wait()
    supervised.process = None
    harness.until(lambda: gone(child))


def test_hangup_goes_on(tmp_path):
    path = str(tmp_path / 'access.log')
    server = Supervised(args=['--access-log', path]).start()
    urllib.request.urlopen(server.url + '/_cloudless/health')
    harness.until(lambda: os.path.getsize(path) > 0)
    os.rename(path, path + '.1')
    server.process.send_signal(signal.SIGHUP)

    def new_file():
        urllib.request.urlopen(server.url + '/_cloudless/health')
        return os.path.exists(path)
    harness.until(new_file)
    server.stop()
    assert not server.obituaries()
    server.remove()


@contextlib.contextmanager
def begun(data, **how):
    """A supervisor whose server is not waited for, and the number of that server."""
    address = f'127.0.0.1:{harness.free_port()}'
    process = subprocess.Popen([harness.BINARY, 'serve', '--supervised', '--data', data, '--listen', address],
                               stdout=subprocess.PIPE, text=True, **how)
    children = []

    def has_child():
        children[:] = map(int, open(f'/proc/{process.pid}/task/{process.pid}/children').read().split())
        return children
    try:
        harness.until(has_child)
        yield process, children[0]
    finally:
        process.kill()


def test_signals_during_the_start_are_obeyed_after_it(tmp_path):
    data = str(tmp_path)
    with begun(data, stderr=subprocess.DEVNULL) as (process, _):
        process.send_signal(signal.SIGHUP)
        assert 'is ready at' in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    with begun(data, stderr=subprocess.DEVNULL) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert not os.path.exists(data + '/obituaries')


def test_a_reader_of_the_log_that_stopped_stops_nobody(tmp_path):
    data = str(tmp_path)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    try:
        while True:
            os.write(write_end, b'x' * 4096)
    except BlockingIOError:
        os.set_blocking(write_end, True)
    with begun(data, stderr=write_end) as (process, child):
        assert 'is ready at' in process.stdout.readline()
        os.kill(child, signal.SIGKILL)                          # its end and its obituary are seen to
        harness.until(lambda: os.path.exists(data + '/supervisor') and read(data + '/supervisor')['restarts'] == '1')
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize('args,code', [
    (['--access-log', '/missing/file'], 1), (['--listen', '8.8.8.8:1'], 2), (['--log', 'loud'], 2)])
def test_wrong_configuration_is_not_tried_again(args, code):
    server = Supervised(args=args)
    with pytest.raises(RuntimeError, match=f'ended with {code}'):
        server.start()
    assert not server.obituaries() and 'supervisor.server_died' not in ''.join(server.log)
    server.remove()


def test_status_of_nothing(tmp_path):
    run = subprocess.run([harness.BINARY, 'status', '--data', str(tmp_path)], capture_output=True, text=True)
    assert run.returncode == 1 and 'no server has run with it' in run.stderr


def test_systemd_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(tmp_path / 'notify'))
        s.settimeout(30)
        server = Supervised(env={'NOTIFY_SOCKET': str(tmp_path / 'notify')}).start()
        assert s.recv(100) == b'READY=1'
        server.stop()
        server.remove()
