"""A client and a function that hold as much as they can, beside a client that behaves.

The hostile client has an address of its own, 127.0.0.2, and only the processor time that nobody else wants (SCHED_IDLE): it stands for one on
another machine. It opens idle connections, sends headers and bodies by the byte, large trees, requests whose answers it never reads, resets of
HTTP/2, halves of TLS handshakes, requests for APIs that are not there, and signed calls that its user may not make. The hostile function has
environments that spin, fork, fill memory and /tmp, print, and open connections to the Runtime API and the endpoint, and flood both.

hostile.py client PORT ACCESS_KEY SECRET_KEY SECONDS is the client's process.
"""
import http.client
import os
import socket
import ssl
import sys
import threading
import time

ADDRESS = '127.0.0.2'
IDLE, SLOW, UNREAD, TLS_HALVES = 2000, 200, 50, 200
FUNCTION = '''
import os, socket, threading, time, urllib.parse

def connections(until, address):
    held = []
    while time.monotonic() < until:
        try:
            s = socket.create_connection(address, timeout=1)
            s.sendall(b'GET /2018-06-01/runtime/nothing HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' * 8)
            held.append(s)
        except OSError:
            held = held[len(held) // 2:]
            time.sleep(0.01)

def handler(event, context):
    until = time.monotonic() + event['seconds']
    mode = event['mode']
    runtime = os.environ['AWS_LAMBDA_RUNTIME_API'].rpartition(':')
    endpoint = urllib.parse.urlsplit(os.environ.get('AWS_ENDPOINT_URL', 'http://127.0.0.1:4566'))
    if mode == 'spin':
        while time.monotonic() < until:
            pass
    if mode == 'fork':
        while time.monotonic() < until:
            try:
                if os.fork() == 0:
                    time.sleep(0.5)
                    os._exit(0)
                os.waitpid(-1, os.WNOHANG)
            except OSError:
                time.sleep(0.001)
    if mode == 'runtime':
        connections(until, (runtime[0], int(runtime[2])))
    if mode == 'endpoint':
        connections(until, (endpoint.hostname, endpoint.port))
    if mode == 'print':
        while time.monotonic() < until:
            print('x' * 1000)
    if mode == 'tmp':
        while time.monotonic() < until:
            try:
                with open('/tmp/f', 'ab') as f:
                    f.write(bytes(1 << 20))
            except OSError:
                os.truncate('/tmp/f', 0)
    if mode == 'memory':
        held = []
        while time.monotonic() < until:
            held.append(bytearray(10 << 20))
    return mode
'''
MODES = ['spin', 'spin', 'fork', 'runtime', 'endpoint', 'print', 'tmp', 'memory']


class Client:
    def __init__(self, port, access_key, secret_key, seconds):
        self.port, self.access_key, self.secret_key = port, access_key, secret_key
        self.until, self.url = time.monotonic() + seconds, f'http://127.0.0.1:{port}'
        self.body = b'{"TableName":"well","Key":{"k":{"S":"' + b'x' * 1000 + b'"}}}'

    def connect(self):
        return socket.create_connection(('127.0.0.1', self.port), timeout=5, source_address=(ADDRESS, 0))

    def many(self, count, first, again=b''):
        """So many connections; each sends the first words, and more of them once a second."""
        held = []
        while time.monotonic() < self.until:
            try:
                if len(held) < count:
                    s = self.connect()
                    s.setblocking(False)
                    s.send(first)
                    held.append(s)
                    continue
            except OSError:
                pass
            time.sleep(1)
            kept = []
            for s in held:
                try:
                    if again:
                        s.send(again)
                    elif s.recv(1) == b'':
                        continue
                    kept.append(s)
                except BlockingIOError:
                    kept.append(s)
                except OSError:
                    pass
            held = kept

    def flood(self, data, read=1 << 16):
        """One after the other, each connection as long as it lasts."""
        while time.monotonic() < self.until:
            try:
                with self.connect() as s:
                    while time.monotonic() < self.until:
                        s.sendall(data)
                        if read and not s.recv(read):
                            break
            except OSError:
                time.sleep(0.01)

    def handshakes(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        while time.monotonic() < self.until:
            try:
                with self.connect() as s, context.wrap_socket(s):
                    pass
            except OSError:
                time.sleep(0.01)

    def calls(self):
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        from wire import json_call
        while time.monotonic() < self.until:
            connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=5, source_address=(ADDRESS, 0))
            try:
                for _ in range(100):
                    path, body, headers = json_call(self, 'dynamodb', 'Scan', {'TableName': 'well', 'FilterExpression': 'x' * 100000})
                    connection.request('POST', path, body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status in (400, 503), answer.status
            except (OSError, http.client.HTTPException):
                time.sleep(0.01)
            connection.close()

    def run(self):
        tree = b'[' + b'0,' * 500000 + b'0]'
        post = b'POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Type: application/x-amz-json-1.0\r\n'
        preface = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
        streams = b''.join(bytes((0, 0, 3, 1, 5)) + n.to_bytes(4, 'big') + b'\x82\x86\x84' + bytes((0, 0, 4, 3, 0)) + n.to_bytes(4, 'big') + b'\0\0\0\x08'
                           for n in range(1, 1200, 2))
        works = [
            (self.many, IDLE, b''), (self.many, SLOW, b'GET / HTTP/1.1\r\nHost: x\r\nX-A: ', b'a'),
            (self.many, SLOW, post + b'Content-Length: 60000\r\n\r\n{', b' '), (self.many, TLS_HALVES, b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', b''),
            (self.many, UNREAD, b'GET /_cloudless/metrics HTTP/1.1\r\nHost: x\r\n\r\n' * 16, b'GET /_cloudless/metrics HTTP/1.1\r\nHost: x\r\n\r\n' * 16),
            (self.flood, post + b'Content-Length: %d\r\n\r\n' % len(tree) + tree), (self.flood, preface + streams),
            (self.flood, b'GET /restapis/abcdefghij/prod/_user_request_/x HTTP/1.1\r\nHost: x\r\n\r\n' * 16), (self.handshakes,), (self.calls,)]
        threads = [threading.Thread(target=work, args=args, daemon=True) for work, *args in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.1, self.until + 10 - time.monotonic()))


if __name__ == '__main__':
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    Client(int(sys.argv[2]), sys.argv[3], sys.argv[4], float(sys.argv[5])).run()
