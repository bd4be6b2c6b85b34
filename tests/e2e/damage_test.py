"""A data directory that lost something: `serve` refuses it and says so, `doctor` says what is wrong, `repair` saves the rest."""
import glob
import hashlib
import json
import os
import shutil
import subprocess

import pytest

import harness


def cloudless(*words):
    return subprocess.run([harness.BINARY, *words], capture_output=True, text=True, timeout=60)


def put(server, numbers):
    for n in numbers:
        server.client('dynamodb').put_item(TableName='table', Item={'k': {'S': str(n)}, 'text': {'S': 'x' * 500}})


def items(server):
    return sorted(int(item['k']['S']) for item in server.client('dynamodb').scan(TableName='table')['Items'])


@pytest.fixture
def server():
    """With items 0 to 9 in files, 10 to 19 in the log, and killed."""
    server = harness.Server().start()
    server.client('dynamodb').create_table(TableName='table', BillingMode='PAY_PER_REQUEST', KeySchema=[{'AttributeName': 'k', 'KeyType': 'HASH'}],
                                           AttributeDefinitions=[{'AttributeName': 'k', 'AttributeType': 'S'}])
    harness.deploy_function(server, 'function', 'def handler(event, context):\n    return event\n')
    put(server, range(10))
    server.stop()
    server.start()
    put(server, range(10, 20))
    server.kill()
    yield server
    if server.process and server.process.poll() is None:
        server.stop()
    server.remove()


def refusal(server):
    answer = cloudless('serve', '--data', server.data, '--listen', f'127.0.0.1:{server.port}')
    assert answer.returncode == 1
    return answer.stderr


def refused(server):
    answer = cloudless('serve', '--data', server.data, '--listen', f'127.0.0.1:{server.port}')
    assert answer.returncode == 1 and 'is damaged' in answer.stderr and f'cloudless repair --data {server.data}' in answer.stderr
    return answer.stderr


def flip(path, at):
    with open(path, 'r+b') as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


def newest_log(server):
    return max(glob.glob(server.data + '/store/db/*.log'), key=os.path.getsize)


def test_a_bit_of_the_log(server):
    """What was acknowledged behind it cannot be read: not served as if it had never been."""
    log = newest_log(server)
    flip(log, os.path.getsize(log) // 2)
    before = open(log, 'rb').read()
    assert 'were acknowledged' in refused(server)
    assert open(log, 'rb').read() == before
    doctor = cloudless('doctor', '--data', server.data)
    assert doctor.returncode == 1 and '--   data: logs' in doctor.stdout and 'cannot be found' in doctor.stdout
    repair = cloudless('repair', '--data', server.data)
    assert repair.returncode == 0 and 'before-repair-' in repair.stdout, repair.stderr
    server.start()
    found = items(server)
    assert found[:10] == list(range(10)) and found == list(range(len(found))) and len(found) < 20
    put(server, range(100, 103))
    server.kill()
    server.start()
    assert items(server) == found + [100, 101, 102]
    kept = glob.glob(server.data + '/store/before-repair-*/db/' + os.path.basename(log))
    assert open(kept[0], 'rb').read() == before


@pytest.mark.parametrize('lose', [
    lambda data: shutil.rmtree(data + '/store/db'),
    lambda data: os.remove(data + '/store/db/CURRENT'),
    lambda data: [os.remove(path) for path in glob.glob(data + '/store/db/*.log')],
    lambda data: [os.remove(path) for path in glob.glob(data + '/store/db/*.sst')],
    lambda data: [os.truncate(path, os.path.getsize(path) - 20) for path in glob.glob(data + '/store/db/MANIFEST-*')],
], ids=['engine', 'current', 'logs', 'files', 'manifest'])
def test_what_is_lost_is_missed(server, lose):
    lose(server.data)
    refused(server)
    refused(server)
    assert cloudless('doctor', '--data', server.data).returncode == 1


@pytest.mark.parametrize('lose', [lambda data: shutil.rmtree(data + '/store'),
                                  lambda data: [shutil.rmtree(data + '/store/db'), os.remove(data + '/store/ledger')]], ids=['store', 'engine and ledger'])
def test_all_is_gone(server, lose):
    """A repair makes no empty store of nothing; without what a server left there, the directory is a new one."""
    lose(server.data)
    for _ in range(2):
        said = refusal(server)
        assert 'all of its files are gone; bring them back from a backup' in said and 'repair' not in said
    assert '/store is gone; bring it back from a backup' in cloudless('doctor', '--data', server.data).stdout
    repair = cloudless('repair', '--data', server.data)
    assert repair.returncode == 1 and 'there is no store' in repair.stderr
    os.remove(server.data + '/credentials')
    server.start()
    assert server.client('dynamodb').list_tables()['TableNames'] == []


def test_packages_are_gone(server):
    package, = glob.glob(server.data + '/blobs/*')
    os.rename(server.data + '/blobs', server.data + '/elsewhere')
    assert "/blobs: the folder of the functions' packages is gone" in refusal(server)
    assert 'their folder is gone' in cloudless('doctor', '--data', server.data).stdout
    os.mkdir(server.data + '/blobs')
    server.start()
    harness.until(lambda: any('lambda.package_missing' in line and os.path.basename(package) in line for line in server.log))
    server.stop()
    os.rmdir(server.data + '/blobs')
    os.rename(server.data + '/elsewhere', server.data + '/blobs')
    server.start()
    answer = server.client('lambda').invoke(FunctionName='function', Payload=b'{"a": 1}')
    assert json.load(answer['Payload']) == {'a': 1}


def test_nothing_is_wrong(server):
    doctor = cloudless('doctor', '--data', server.data)
    assert 'ok   data: logs' in doctor.stdout and 'all readable' in doctor.stdout and '1, all as they were put' in doctor.stdout
    assert cloudless('repair', '--data', server.data).returncode == 0
    assert not glob.glob(server.data + '/store/before-repair-*')
    server.start()
    assert items(server) == list(range(20))
    assert 'a server has it open' in cloudless('doctor', '--data', server.data).stdout
    repair = cloudless('repair', '--data', server.data)
    assert repair.returncode == 1 and 'stop that first' in repair.stderr


def test_a_package(server):
    """It is not sent, and its function's code can be put again."""
    package, = glob.glob(server.data + '/blobs/*')
    flip(package, 40)
    doctor = cloudless('doctor', '--data', server.data)
    assert doctor.returncode == 1 and '1 of 1 are damaged' in doctor.stdout
    server.start()
    client = server.client('lambda')
    url = client.get_function(FunctionName='function')['Code']['Location']
    answer = harness.http('GET', url)
    assert answer.status == 500 and 'InternalError' in answer.text
    harness.until(lambda: any('lambda.package_damaged' in line and os.path.basename(package) in line for line in server.log))
    client.update_function_code(FunctionName='function', ZipFile=harness.zip_of({'app.py': 'def handler(event, context):\n    return event\n'}))
    answer = harness.http('GET', url)
    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() == os.path.basename(package)


def test_no_data(tmp_path):
    assert 'data:' not in cloudless('doctor', '--data', str(tmp_path)).stdout
    assert 'there is no store' in cloudless('repair', '--data', str(tmp_path)).stderr
