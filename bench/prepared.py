"""Prepared requests: complete HTTP/1.1 messages, signed ahead, in the file format of load.c.

Signing 100,000 requests with botocore takes longer than sending them, so the signature is computed here, with the
headers that boto3 sends; `check_signer` compares it with botocore's own before anything is measured.
"""
import datetime
import hashlib
import hmac
import json
import struct

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = 'us-east-1'
ALWAYS_SENT = ('Accept-Encoding: identity\r\n'
               'User-Agent: Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11 cfg/retry-mode#legacy\r\n'
               'amz-sdk-invocation-id: 7b1d0c5e-3f0e-4a52-9d8e-5c1e8f6f2a11\r\namz-sdk-request: attempt=1\r\n')


def hmac_sha256(key, text):
    return hmac.digest(key, text.encode(), 'sha256')


class Signer:
    """Requests of one service with one key; the day's signing key is derived once."""

    def __init__(self, service, port, access_key, secret_key, now=None):
        self.time = (now or datetime.datetime.now(datetime.timezone.utc)).strftime('%Y%m%dT%H%M%SZ')
        self.scope = f'{self.time[:8]}/{REGION}/{service}/aws4_request'
        self.host, self.access_key = f'127.0.0.1:{port}', access_key
        key = ('AWS4' + secret_key).encode()
        for part in self.scope.split('/'):
            key = hmac_sha256(key, part)
        self.key = key

    def request(self, path, body, headers=()):
        """POST; `headers` are pairs of lower-case names, in alphabetical order, all signed."""
        signed = sorted([*headers, ('host', self.host), ('x-amz-date', self.time)])
        names = ';'.join(name for name, _ in signed)
        lines = ''.join(f'{name}:{value}\n' for name, value in signed)
        canonical = f'POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}'
        text = f'AWS4-HMAC-SHA256\n{self.time}\n{self.scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}'
        signature = hmac_sha256(self.key, text).hex()
        sent = ''.join(f'{name}: {value}\r\n' for name, value in signed)
        return (f'POST {path} HTTP/1.1\r\n{sent}{ALWAYS_SENT}'
                f'Authorization: AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, SignedHeaders={names}, Signature={signature}\r\n'
                f'Content-Length: {len(body)}\r\n\r\n').encode() + body


class DynamoDB(Signer):
    def __init__(self, port, access_key, secret_key):
        super().__init__('dynamodb', port, access_key, secret_key)

    def call(self, operation, members):
        return self.request('/', json.dumps(members, separators=(',', ':')).encode(), (
            ('content-type', 'application/x-amz-json-1.0'), ('x-amz-target', f'DynamoDB_20120810.{operation}')))


def check_signer():
    """Raises unless a request of ours carries the signature that botocore computes for it."""
    ours = DynamoDB(4566, 'AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY')
    ours_text = ours.call('GetItem', {'TableName': 't', 'Key': {'pk': {'S': 'a'}}}).decode()
    head, body = ours_text.split('\r\n\r\n', 1)
    sent = dict(line.split(': ', 1) for line in head.split('\r\n')[1:])
    theirs = AWSRequest('POST', f'http://{ours.host}/', data=body.encode(), headers={
        'content-type': sent['content-type'], 'x-amz-target': sent['x-amz-target'], 'host': sent['host'], 'x-amz-date': ours.time})
    theirs.context['timestamp'] = ours.time
    auth = SigV4Auth(Credentials(ours.access_key, 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'), 'dynamodb', REGION)
    signature = auth.signature(auth.string_to_sign(theirs, auth.canonical_request(theirs)), theirs)
    if f'Signature={signature}' not in sent['Authorization']:
        raise RuntimeError('the prepared requests are not signed as botocore signs them')


def plain(method, path, host, body=b''):
    return f'{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n'.encode() + body


def write(path, pairs):
    """Pairs of a request and the text that its answer's body must contain."""
    with open(path, 'wb') as f:
        for request, text in pairs:
            text = text.encode()
            f.write(struct.pack('<II', len(request), len(text)) + request + text)
