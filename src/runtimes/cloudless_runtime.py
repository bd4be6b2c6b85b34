"""What runs in a sandbox for a function in Python: AWS's own runtime interface client over a transport of ours.

awslambdaric decides everything a function can see: events, context object, errors, logging. Only its extension module
`runtime_client` (libcurl, a request at a time) is replaced by a kept connection that sends an answer together with the
question for the next event: one wake-up less an invocation. NATIVE_CLIENT=1 in the environment keeps the extension;
a test compares the two.

Started by bootstrap.py with the handler in _HANDLER. The module search path becomes that of AWS's managed runtime ("Runtime
dependency search path" in the Lambda guide): code, layers, runtime, interpreter; packages of the host stay out.
"""
import os
import socket
import sys
import types

RUNTIME = os.path.dirname(os.path.abspath(__file__))
API = '2018-06-01/runtime'


class Transport:
    """The interface of awslambdaric's runtime_client module, over one connection to AWS_LAMBDA_RUNTIME_API.

    Invariant: `asked` counts requests whose answers were not read yet; answers come in the order of the requests.
    """

    def __init__(self, address):
        host, _, port = address.partition(':')
        self.address = host, int(port or 80)
        self.head = b' HTTP/1.1\r\nHost: ' + address.encode() + b'\r\n'
        self.get_next = b'GET /' + API.encode() + b'/invocation/next' + self.head + b'\r\n'
        self.socket = None
        self.rest = b''             # read, but of a later answer
        self.asked = 0
        self.failure = None         # what to raise if the answer to the last post is not 202

    def initialize_client(self, user_agent):
        self.head += b'User-Agent: ' + user_agent.encode() + b'\r\n'
        self.get_next = self.get_next[:-2] + b'User-Agent: ' + user_agent.encode() + b'\r\n\r\n'

    def send(self, request):
        if self.socket is None:
            # Not create_connection(): getaddrinfo() imports an encoding, 3 ms.
            self.socket = socket.socket()
            self.socket.connect(self.address)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request)

    def more(self):
        piece = self.socket.recv(65536)
        if not piece:
            os._exit(0)             # the service has gone
        return piece

    def answer(self):
        """Status, headers by their names as sent, body of the next answer."""
        buffer, self.rest = self.rest, b''
        while True:
            end = buffer.find(b'\r\n\r\n')
            if end >= 0:
                break
            buffer += self.more()
        lines = buffer[:end].decode('utf-8', 'surrogateescape').split('\r\n')
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(':')
            headers[name] = value.strip()
        size = int(headers.get('Content-Length', 0))
        body = buffer[end + 4:]
        if len(body) < size:
            pieces, have = [body], len(body)
            while have < size:
                piece = self.more()
                pieces.append(piece)
                have += len(piece)
            body = b''.join(pieces)
        self.rest = body[size:]
        return int(lines[0].split(' ', 2)[1]), headers, body[:size]

    def next(self):
        if self.asked == 0:
            self.send(self.get_next)
        elif self.asked == 2:
            status = self.answer()[0]
            self.asked = 1
            if status != 202:
                raise RuntimeError(self.failure)
        status, headers, body = self.answer()
        self.asked = 0
        if status != 200:
            raise RuntimeError('Failed to get next')
        headers['Lambda-Runtime-Deadline-Ms'] = int(headers['Lambda-Runtime-Deadline-Ms'])
        return body, headers

    def post(self, invoke_id, what, content_type, body, failure):
        head = 'POST /%s/invocation/%s/%s' % (API, invoke_id, what)
        fields = 'Content-Type: %s\r\nContent-Length: %d\r\n\r\n' % (content_type, len(body))
        # Whatever the function printed is written before its answer.
        sys.stdout.flush()
        sys.stderr.flush()
        self.failure = failure
        try:
            self.send(head.encode() + self.head + fields.encode() + body + self.get_next)
        except OSError:             # refused for its size before it was read
            raise RuntimeError(failure)
        self.asked = 2

    def post_invocation_result(self, invoke_id, result, content_type, invocation_id=None):
        self.post(invoke_id, 'response', content_type, result, 'Failed to post invocation response')

    def post_error(self, invoke_id, error, xray_fault, invocation_id=None):
        # The X-Ray fault goes nowhere: there is no X-Ray daemon in a sandbox.
        self.post(invoke_id, 'error', 'application/json', error.encode(), 'Failed to post invocation error')


def search_path():
    version = 'python%d.%d' % sys.version_info[:2]
    layers = ['/opt/python/lib/%s/site-packages' % version, '/opt/python']
    task = os.environ.get('LAMBDA_TASK_ROOT', '/var/task')
    rest = [p for p in sys.path if p not in (RUNTIME, task, '') and not p.endswith('/dist-packages')]
    own = os.path.join(sys.prefix, 'lib', version, 'site-packages')
    if own not in rest and os.path.isdir(own):
        rest.append(own)
    sys.path[:] = [task] + layers + [RUNTIME] + rest


def interactive_names():
    """exit, quit, help and the like, which the site module makes; -S keeps it from running."""
    import site
    site.setquit()
    site.setcopyright()
    site.sethelper()


def main():
    api = os.environ['AWS_LAMBDA_RUNTIME_API']
    if os.environ.pop('NATIVE_CLIENT', '') != '1':
        transport = Transport(api)
        module = types.ModuleType('runtime_client')
        for name in ('initialize_client', 'next', 'post_invocation_result', 'post_error'):
            setattr(module, name, getattr(transport, name))
        sys.modules['runtime_client'] = module
    from awslambdaric import bootstrap, lambda_runtime_client
    if sys.flags.no_site:
        interactive_names()
    search_path()
    # No thread that polls (runtimes from 3.12 have one): our recv() lets signals through.
    bootstrap.run(os.environ['_HANDLER'], lambda_runtime_client.LambdaRuntimeClient(api, False))
