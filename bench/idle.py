"""What connections cost while nothing moves on them: anonymous memory of the server for each, plain and over TLS."""
import contextlib
import re
import resource
import socket
import ssl
import time

from machine import Failed, memory_kib
from workloads import harness

WARM = 50               # before the count begins: what is kept however many there are
REST_SECONDS = 2.5      # after which buffers have been given back
REQUEST = b'GET /_cloudless/health HTTP/1.1\r\nHost: localhost\r\n\r\n'
GOALS = {'plain': 10, 'TLS': 40}        # KiB


def connect(port, context):
    s = socket.create_connection(('127.0.0.1', port))
    if context:
        s = context.wrap_socket(s)
    s.sendall(REQUEST)
    if not re.match(rb'HTTP/1.1 200', s.recv(4096)):
        raise Failed('an idle connection was not answered')
    return s


def unverified():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def measure(bench, count):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for kind, context in (('plain', None), ('TLS', unverified())):
        with harness.running() as server, contextlib.ExitStack() as opened:
            for _ in range(WARM):
                opened.enter_context(connect(server.port, context))
            before = memory_kib(server.process.pid)
            for _ in range(count):
                opened.enter_context(connect(server.port, context))
            time.sleep(REST_SECONDS)
            each = (memory_kib(server.process.pid) - before) / count
        goal = GOALS[kind]
        bench.row(f'Idle connection, {kind}', f'{each:.1f} KiB of {count:,} open', goal=f'≤ {goal} KiB', holds=each <= goal, figures={'kib': each})
