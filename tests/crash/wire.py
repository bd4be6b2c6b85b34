"""Requests by hand: signed with botocore's own parts, sent as they are, so that a test can bend each of them."""
import http.client
import json
import socket

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import get_current_datetime
from botocore.credentials import Credentials

REGION = 'us-east-1'
FORM = 'application/x-www-form-urlencoded; charset=utf-8'
JSON_TARGETS = {'dynamodb': ('DynamoDB_20120810', 'application/x-amz-json-1.0'), 'logs': ('Logs_20140328', 'application/x-amz-json-1.1')}


def timestamp(moment=None):
    return (moment or get_current_datetime()).strftime('%Y%m%dT%H%M%SZ')


def sign(server, service, method, path, body=b'', headers=None, *, access_key=None, secret_key=None, when=None, region=REGION,
         scope_service=None):
    """The headers to send, Authorization among them."""
    signed = {'host': f'127.0.0.1:{server.port}', 'x-amz-date': when or timestamp(), **(headers or {})}
    request = AWSRequest(method, f'http://127.0.0.1:{server.port}{path}', data=body, headers=signed)
    request.context['timestamp'] = signed['x-amz-date']
    auth = SigV4Auth(Credentials(access_key or server.access_key, secret_key or server.secret_key), scope_service or service, region)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    names = ';'.join(sorted(signed))
    signed['authorization'] = (f'AWS4-HMAC-SHA256 Credential={access_key or server.access_key}/{auth.credential_scope(request)}, '
                               f'SignedHeaders={names}, Signature={signature}')
    return signed


def json_call(server, service, operation, body, **how):
    """(path, body, headers) of a call of a json service; body may be bytes that are no JSON."""
    target, content_type = JSON_TARGETS[service]
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {'content-type': content_type, 'x-amz-target': f'{target}.{operation}'}
    return '/', body, sign(server, service, 'POST', '/', body, headers, **how)


class Connection:
    """Keep-alive, one request at a time."""

    def __init__(self, server, timeout=30):
        self.server = server
        self.http = http.client.HTTPConnection('127.0.0.1', server.port, timeout=timeout)

    def send(self, method, path, body, headers):
        self.http.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            self.http.putheader(name, value)
        self.http.putheader('content-length', str(len(body)))
        self.http.endheaders(body)
        answer = self.http.getresponse()
        return answer.status, answer.headers, answer.read()

    def json(self, service, operation, body, **how):
        """Status and answer of a call of a json service."""
        path, body, headers = json_call(self.server, service, operation, body, **how)
        status, _, answer = self.send('POST', path, body, headers)
        return status, json.loads(answer)

    def close(self):
        self.http.close()


def raw(server, data, timeout=10, shut=True):
    """Sends bytes, says that no more will come, and returns everything until the server closes; b'' for nothing."""
    with socket.create_connection(('127.0.0.1', server.port), timeout=timeout) as s:
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass            # the server may close before it has read everything
        return read_all(s)


def read_all(s):
    got = b''
    try:
        while piece := s.recv(65536):
            got += piece
    except (ConnectionError, socket.timeout):
        pass
    return got
