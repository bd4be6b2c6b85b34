"""Bad input through raw sockets and raw bodies: AWS's status and error code, nothing stored, and the server lives on.

Sources: RFC 9112 for messages; for signatures the "Common errors" page of each service's API reference (json services
answer 400, rest-json and query services 403); for bodies DynamoDB's programming guide, "Error handling".
"""
import datetime
import hashlib
import json
import os
import random
import re
import socket
import threading
import time
import urllib.parse

import pytest
from botocore.exceptions import ClientError

import harness
from wire import FORM, Connection, json_call, raw, read_all, sign, timestamp

H = b'Host: 127.0.0.1\r\n'
GET = b'GET /_cloudless/health HTTP/1.1\r\n' + H
POST = b'POST / HTTP/1.1\r\n' + H
CHUNKED = POST + b'Transfer-Encoding: chunked\r\n\r\n'
HIDDEN = b'GET /_cloudless/health HTTP/1.1\r\n' + H + b'\r\n'     # must never be answered as a request of its own


@pytest.fixture(scope='module')
def table(server):
    server.client('dynamodb').create_table(
        TableName='malformed', BillingMode='PAY_PER_REQUEST', AttributeDefinitions=[{'AttributeName': 'pk', 'AttributeType': 'S'}],
        KeySchema=[{'AttributeName': 'pk', 'KeyType': 'HASH'}])
    return 'malformed'


def statuses(answer):
    return [int(s) for s in re.findall(rb'HTTP/1\.1 (\d{3}) ', answer)]


def is_alive(server):
    return harness.http('GET', server.url + '/_cloudless/health').status == 200


# ---- HTTP ----

SMUGGLING = [
    ('both lengths', POST + b'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + HIDDEN, 400),
    ('both lengths, the other way', POST + b'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n' + HIDDEN, 400),
    ('two lengths', POST + b'Content-Length: 0\r\nContent-Length: 5\r\n\r\n' + HIDDEN, 400),
    ('a list of lengths', POST + b'Content-Length: 5, 5\r\n\r\nhello' + HIDDEN, 400),
    ('a length with a sign', POST + b'Content-Length: +5\r\n\r\nhello' + HIDDEN, 400),
    ('a length in hexadecimal', POST + b'Content-Length: 0x5\r\n\r\nhello' + HIDDEN, 400),
    ('a length over 64 bits', POST + b'Content-Length: 18446744073709551621\r\n\r\nhello' + HIDDEN, 400),
    ('a negative length', POST + b'Content-Length: -1\r\n\r\n' + HIDDEN, 400),
    ('a blank before the colon', POST + b'Content-Length : 5\r\n\r\nhello' + HIDDEN, 400),
    ('a folded length', POST + b'Content-Length:\r\n 5\r\n\r\nhello' + HIDDEN, 400),
    ('an unknown coding', POST + b'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n' + HIDDEN, 400),
    ('codings twice', POST + b'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n' + HIDDEN, 400),
    ('chunked is not the last', POST + b'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n' + HIDDEN, 400),
    ('a coding behind a vertical tab', POST + b'Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n' + HIDDEN, 400),
    ('chunked in 1.0', b'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n' + HIDDEN, 400),
    ('chunk size with a sign', CHUNKED + b'-1\r\n\r\n' + HIDDEN, 400),
    ('chunk size over 64 bits', CHUNKED + b'10000000000000005\r\nhello\r\n0\r\n\r\n' + HIDDEN, 400),
    ('chunk size in C notation', CHUNKED + b'0x5\r\nhello\r\n0\r\n\r\n' + HIDDEN, 400),
    ('chunk longer than its size', CHUNKED + b'3\r\nhello\r\n0\r\n\r\n' + HIDDEN, 400),
    ('chunk lines that end in LF', CHUNKED + b'5\nhello\n0\n\n' + HIDDEN, 400),
    ('bare LF', b'GET / HTTP/1.1\nHost: a\n\n' + HIDDEN, 400),
    ('bare CR', GET + b'A: b\rTransfer-Encoding: chunked\r\n\r\n' + HIDDEN, 400),
    ('NUL in a header', GET + b'A: b\0c\r\n\r\n' + HIDDEN, 400),
    ('two hosts', GET + b'Host: other\r\n\r\n' + HIDDEN, 400),
    ('no host', b'GET / HTTP/1.1\r\n\r\n' + HIDDEN, 400),
    ('a broken preface of HTTP/2', b'PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n' + HIDDEN, 505),
    ('an unknown method', b'FROB / HTTP/1.1\r\n' + H + b'\r\n' + HIDDEN, 400),
    ('version 0.9', b'GET / HTTP/0.9\r\n' + H + b'\r\n' + HIDDEN, 505),
    ('no version', b'GET /\r\n' + H + b'\r\n' + HIDDEN, 505),
    ('version 3.0', b'GET / HTTP/3.0\r\n' + H + b'\r\n' + HIDDEN, 505),
    ('a long target', b'GET /' + b'a' * 9000 + b' HTTP/1.1\r\n' + H + b'\r\n', 414),
    ('long headers', GET + b'A: ' + b'a' * 20000 + b'\r\n\r\n', 431),
    ('many headers', GET + b''.join(b'A%d: b\r\n' % n for n in range(500)) + b'\r\n', 431),
    ('a body over every limit', POST + b'Content-Length: 99999999999\r\n\r\n', 413),
]


@pytest.mark.parametrize('what, message, status', SMUGGLING, ids=[row[0] for row in SMUGGLING])
def test_a_message_that_can_be_read_in_two_ways_is_refused(server, what, message, status):
    """One answer, and the connection ends: what follows is not taken for a request."""
    answer = raw(server, message)
    assert statuses(answer) == [status], answer[:500]
    assert b'"ready"' not in answer
    assert is_alive(server)


def test_a_message_that_breaks_off_is_not_answered_as_a_request(server):
    whole = CHUNKED + b'5\r\nhello\r\n0\r\n\r\n'
    for n in range(0, len(whole), 3):
        assert statuses(raw(server, whole[:n])) in ([], [400])
    assert is_alive(server)


def test_garbage(server):
    rng = random.Random(7)
    alphabet = [b'GET ', b' HTTP/1.1', b'\r\n', b'\n', b'\r', b':', b'Host', b'Content-Length: ', b'\0', b'\xff', b'chunked', b'/', b' ', b'%', b'0', b'9' * 30]
    for n in range(300):
        data = rng.randbytes(rng.randrange(1, 400)) if n % 2 else b''.join(rng.choices(alphabet, k=rng.randrange(1, 60)))
        assert all(s >= 400 for s in statuses(raw(server, data)))
    assert is_alive(server)


def test_pipelined_requests_before_a_bad_one_are_answered(server):
    assert statuses(raw(server, HIDDEN * 3 + b'FROB\r\n\r\n' + HIDDEN)) == [200, 200, 200, 400]


def test_slow_clients_are_sent_away(server):
    """Drops of a head, a head and no body, half a chunk: 408 each, while others are served. AWS's front ends close after about 20 s."""
    answers = {}

    def slow(name, start, drop):
        with socket.create_connection(('127.0.0.1', server.port), timeout=90) as s:
            s.sendall(start)
            begun.wait()
            s.settimeout(0.5)
            began = time.monotonic()
            while time.monotonic() - began < 60:
                try:
                    answers[name] = s.recv(65536)
                    return
                except socket.timeout:
                    if drop:
                        s.sendall(drop)

    cases = {'head': (b'GET / HTTP/1.1\r\nHost: a\r\nX: ', b'a'), 'request line': (b'G', b''), 'body': (POST + b'Content-Length: 10\r\n\r\nhalf', b''),
             'chunk': (CHUNKED + b'5\r\nhe', b'')}
    begun = threading.Barrier(len(cases) + 1)
    threads = [threading.Thread(target=slow, args=(name, *case)) for name, case in cases.items()]
    for thread in threads:
        thread.start()
    begun.wait()
    assert is_alive(server) and not answers
    for thread in threads:
        thread.join()
    assert {name: statuses(answer) for name, answer in answers.items()} == {name: [408] for name in cases}


def test_many_silent_connections_do_not_keep_others_out(server):
    silent = [socket.create_connection(('127.0.0.1', server.port)) for _ in range(500)]
    try:
        assert is_alive(server)
    finally:
        for s in silent:
            s.close()


# ---- signatures ----

# service: how a call of it looks, and what each failure answers: (missing, unknown key, mismatch, incomplete)
JSON_ERRORS = {'missing': ('MissingAuthenticationTokenException', 400), 'unknown': ('UnrecognizedClientException', 400),
               'mismatch': ('InvalidSignatureException', 400), 'incomplete': ('IncompleteSignatureException', 400)}
REST_ERRORS = {kind: (code, 403) for kind, (code, _) in JSON_ERRORS.items()}
QUERY_ERRORS = {'missing': ('MissingAuthenticationToken', 403), 'unknown': ('InvalidClientTokenId', 403),
                'mismatch': ('SignatureDoesNotMatch', 403), 'incomplete': ('IncompleteSignature', 400)}
CALLS = {
    'dynamodb': ('POST', '/', b'{}', {'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.ListTables'}, JSON_ERRORS),
    'logs': ('POST', '/', b'{}', {'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Logs_20140328.DescribeLogGroups'}, JSON_ERRORS),
    'lambda': ('GET', '/2015-03-31/functions/', b'', {}, REST_ERRORS),
    'apigateway': ('GET', '/restapis', b'', {}, REST_ERRORS),
    'iam': ('POST', '/', b'Action=ListRoles&Version=2010-05-08', {'content-type': FORM}, QUERY_ERRORS),
    'sts': ('POST', '/', b'Action=GetCallerIdentity&Version=2011-06-15', {'content-type': FORM}, QUERY_ERRORS),
}


def error_code(headers, body):
    """As the SDKs find it, whatever the protocol."""
    if 'x-amzn-errortype' in headers:
        return headers['x-amzn-errortype'].split(':')[0].rpartition('#')[2]
    if body.lstrip().startswith(b'<'):
        return re.search(rb'<Code>([^<]*)</Code>', body).group(1).decode()
    return json.loads(body)['__type'].rpartition('#')[2]


def ago(minutes):
    return timestamp(datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes))


def without(headers, name):
    return {k: v for k, v in headers.items() if k != name}


def edited(headers, old, new):
    assert re.search(old, headers['authorization'])
    return {**headers, 'authorization': re.sub(old, new, headers['authorization'], count=1)}


# what is wrong, kind of failure, (headers and body) from a way to sign
SIGNATURES = [
    ('no signature', 'missing', lambda s: (without(s(), 'authorization'), None)),
    ('another scheme', 'incomplete', lambda s: ({**s(), 'authorization': 'Bearer abc'}, None)),
    ('unknown key', 'unknown', lambda s: (s(access_key='AKIAIOSFODNN7EXAMPLE'), None)),
    ('wrong secret', 'mismatch', lambda s: (s(secret_key='wrong'), None)),
    ('other body', 'mismatch', lambda s: (s(), b'{"Limit":1}')),
    ('other header', 'mismatch', lambda s: ({**s({'x-extra': 'a'}), 'x-extra': 'b'}, None)),
    ('expired', 'mismatch', lambda s: (s(when=ago(20)), None)),
    ('from the future', 'mismatch', lambda s: (s(when=ago(-20)), None)),
    ('other region than signed', 'mismatch', lambda s: (edited(s(), 'us-east-1', 'eu-west-1'), None)),
    ('signature cut', 'mismatch', lambda s: (edited(s(), r'Signature=.*', 'Signature=abc'), None)),
    ('signature in capitals', 'mismatch', lambda s: (edited(s(), r'Signature=.*', 'Signature=' + 'A' * 64), None)),
    ('no date', 'incomplete', lambda s: (without(s(), 'x-amz-date'), None)),
    ('a date that is none', 'incomplete', lambda s: ({**s(), 'x-amz-date': 'yesterday'}, None)),
    ('no credential', 'incomplete', lambda s: (edited(s(), r'Credential=[^,]*, ', ''), None)),
    ('no list of headers', 'incomplete', lambda s: (edited(s(), r'SignedHeaders=[^,]*, ', ''), None)),
    ('no signature parameter', 'incomplete', lambda s: (edited(s(), r', Signature=.*', ''), None)),
    ('host is not signed', 'incomplete', lambda s: (edited(s(), r'host;', ''), None)),
    ('a short scope', 'incomplete', lambda s: (edited(s(), r'/aws4_request', ''), None)),
    ('no parameters', 'incomplete', lambda s: ({**s(), 'authorization': 'AWS4-HMAC-SHA256'}, None)),
    ('an endless key id', 'unknown', lambda s: (edited(s(), r'Credential=[^/]*', 'Credential=' + 'A' * 5000), None)),
    ('no key id', 'unknown', lambda s: (edited(s(), r'Credential=[^/]*', 'Credential='), None)),
    ('a word for parameters', 'incomplete', lambda s: ({**s(), 'authorization': 'AWS4-HMAC-SHA256 nonsense'}, None)),
]


@pytest.mark.parametrize('service', CALLS)
@pytest.mark.parametrize('what, kind, bend', SIGNATURES, ids=[row[0] for row in SIGNATURES])
def test_bad_signatures(server, service, what, kind, bend):
    method, path, body, plain, errors = CALLS[service]
    if method == 'GET' and what == 'other body':
        plain = {}

    def signer(more=None, **how):
        return sign(server, service, method, path, body, {**plain, **(more or {})}, **how)

    headers, other_body = bend(signer)
    connection = Connection(server)
    status, answer_headers, answer = connection.send(method, path, body if other_body is None else other_body, headers)
    connection.close()
    assert (error_code(answer_headers, answer), status) == errors[kind], answer
    assert b'wrong' not in answer and server.secret_key.encode() not in answer


@pytest.mark.parametrize('name', ['sqs', 'a"b\\\\'])
def test_a_scope_of_a_service_that_is_not_there(server, name):
    """On one port for all services the scope says whose call it is."""
    method, path, body, plain, _ = CALLS['dynamodb']
    status, _, answer = Connection(server).send(method, path, body, sign(server, 'dynamodb', method, path, body, plain, scope_service=name))
    assert status == 501 and json.loads(answer)['__type'] == 'NotImplemented' and f"'{name}'" in json.loads(answer)['message']


# What a signed ListTables becomes on its way: request line, headers, what stands behind them.
TARGET = ('x-amz-target', 'DynamoDB_20120810.DeleteTable')
ALTERED = [
    ('another target behind', lambda head, body: ('POST /', head + [TARGET], body)),
    ('another target in front', lambda head, body: ('POST /', [TARGET] + head, body)),
    ('the date again', lambda head, body: ('POST /', head + [(k, v) for k, v in head if k == 'x-amz-date'], body)),
    ('a token', lambda head, body: ('POST /', head + [('x-amz-security-token', '')], body)),
    ('another Authorization in front', lambda head, body: ('POST /', [('authorization', 'AWS4-HMAC-SHA256 Credential=a/b/c/dynamodb/aws4_request')] + head, body)),
    ('the signed headers in another order', lambda head, body: ('POST /', [(k, v.replace('content-type;host', 'host;content-type')) for k, v in head], body)),
    ('another method', lambda head, body: ('PUT /', head, body)),
    ('a query', lambda head, body: ('POST /?Action=DeleteTable', head, body)),
    ('another host', lambda head, body: ('POST /', [(k, 'elsewhere' if k == 'host' else v) for k, v in head], body)),
    ('another host in the target', lambda head, body: ('POST http://elsewhere/', head, body)),
    ('another body', lambda head, body: ('POST /', head, b'{"Limit": 1}')),
]


@pytest.mark.parametrize('chunks', [False, True])
@pytest.mark.parametrize('what, alter', [('nothing', lambda head, body: ('POST /', head, body))] + ALTERED, ids=['nothing'] + [row[0] for row in ALTERED])
def test_a_request_that_is_altered_on_its_way(server, table, what, alter, chunks):
    path, body, headers = json_call(server, 'dynamodb', 'ListTables', {})
    line, head, body = alter(list(headers.items()), body)
    if chunks:      # a trailer is no header: it cannot bring the target either
        head, body = head + [('transfer-encoding', 'chunked')], b'%x\r\n%s\r\n0\r\nx-amz-target: %s\r\n\r\n' % (len(body), body, TARGET[1].encode())
    else:
        head = head + [('content-length', str(len(body)))]
    answer = raw(server, f'{line} HTTP/1.1\r\n'.encode() + b''.join(f'{k}: {v}\r\n'.encode() for k, v in head) + b'\r\n' + body)
    assert statuses(answer) == [200 if what == 'nothing' else 400], answer
    assert (table.encode() in answer) == (what == 'nothing')
    assert server.client('dynamodb').describe_table(TableName=table)


def test_a_claim_about_the_body_is_not_believed(server):
    method, path, body, plain, _ = CALLS['dynamodb']
    for claim in ('UNSIGNED-PAYLOAD', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', hashlib.sha256(body).hexdigest()):
        headers = sign(server, 'dynamodb', method, path, body, {**plain, 'x-amz-content-sha256': claim})
        status, _, answer = Connection(server).send(method, path, b'{"Limit": 1}', headers)
        assert (status, json.loads(answer)['__type'].rpartition('#')[2]) == (400, 'InvalidSignatureException')


@pytest.mark.parametrize('host, path', [
    ('abc.execute-api.us-east-1.localhost', '/'), ('abc.EXECUTE-API.us-east-1.amazonaws.com:4566', '/restapis'),
    ('dynamodb.us-east-1.localhost', '/_aws/execute-api/abc/prod/../../../'), ('127.0.0.1', '/restapis/abc/prod/_user_request_/../../../../restapis'),
    ('127.0.0.1', '/_aws/execute-api/%2e%2e/%2e%2e/restapis'), ('127.0.0.1', '/_aws/execute-api//restapis')])
def test_what_goes_to_the_gateway_never_reaches_the_api_of_aws(server, host, path):
    """Signed or not: the gateway asks for no signature, so nothing of the control plane may hide behind it."""
    for sent in ({}, sign(server, 'apigateway', 'GET', path, b'', {'host': host}), sign(server, 'dynamodb', 'GET', path, b'', {'host': host})):
        head = ''.join(f'{k}: {v}\r\n' for k, v in {**sent, 'host': host}.items())
        answer = raw(server, f'GET {path} HTTP/1.1\r\n{head}\r\n'.encode())
        assert statuses(answer) == [403] and answer.endswith((b'{"message":"Forbidden"}', b'{"message":"Missing Authentication Token"}')), answer


def test_right_signatures_are_accepted(server):
    for service, (method, path, body, plain, _) in CALLS.items():
        connection = Connection(server)
        status, _, answer = connection.send(method, path, body, sign(server, service, method, path, body, plain))
        assert status == 200, (service, answer)
        connection.close()


# ---- bodies ----

def deep(n, opening='[', closing=']'):
    return (opening * n + closing * n).encode()


def item(value):
    return b'{"TableName":"malformed","Item":{"pk":{"S":"a"},"v":' + value + b'}}'


def nested(n):
    return b'{"L":[' * n + b'{"S":"x"}' + b']}' * n


JSON_BODIES = [
    ('nothing', b'', None),
    ('no JSON', b'hello', 'SerializationException'),
    ('broken off', b'{"TableName":"malformed","Item":{"pk":{"S":"a"', 'SerializationException'),
    ('a second value', item(b'{"S":"x"}') + b'{}', 'SerializationException'),
    ('a list', b'[]', 'SerializationException'),
    ('a number', b'1', 'SerializationException'),
    ('a trailing comma', b'{"TableName":"malformed",}', 'SerializationException'),
    ('single quotes', b"{'TableName':'malformed'}", 'SerializationException'),
    ('a comment', b'{/* */"TableName":"malformed"}', 'SerializationException'),
    ('NaN', item(b'{"N":NaN}'), 'SerializationException'),
    ('bytes that are no UTF-8', item(b'{"S":"\xff\xfe"}'), 'SerializationException'),
    ('overlong UTF-8', item(b'{"S":"\xc0\xaf"}'), 'SerializationException'),
    ('a surrogate in UTF-8', item(b'{"S":"\xed\xa0\x80"}'), 'SerializationException'),
    ('half a surrogate pair', item(b'{"S":"\\ud800"}'), 'SerializationException'),
    ('a control character', item(b'{"S":"\x01"}'), 'SerializationException'),
    ('a NUL', item(b'{"S":"\0"}'), 'SerializationException'),
    ('UTF-16', '{"TableName":"malformed"}'.encode('utf-16'), 'SerializationException'),
    ('lists 100,000 deep', deep(100000), 'SerializationException'),
    ('objects 50,000 deep', deep(50000, '{"a":', '}').replace(b'}', b'1}', 1), 'SerializationException'),
    ('a value 2,000 deep', item(nested(2000)), None),
    ('a value 40 deep', item(nested(40)), 'ValidationException'),
    ('a number for a name', b'{"TableName":5}', 'SerializationException'),
    ('a list for a map', b'{"TableName":"malformed","Item":[]}', 'SerializationException'),
    ('a string for a number', b'{"TableName":"malformed","Limit":"x"}', None),
    ('a number of 5,000 digits', item(b'{"N":"' + b'1' * 5000 + b'"}'), 'ValidationException'),
    ('a number over the range', item(b'{"N":"1E126"}'), 'ValidationException'),
    ('a number under the range', item(b'{"N":"1E-131"}'), 'ValidationException'),
    ('an exponent over 64 bits', item(b'{"N":"1E99999999999999999999"}'), 'ValidationException'),
    ('a number that is none', item(b'{"N":"0x10"}'), 'ValidationException'),
    ('base64 that is none', item(b'{"B":"***"}'), 'SerializationException'),
    ('two types', item(b'{"S":"a","N":"1"}'), 'ValidationException'),
    ('no type', item(b'{}'), 'ValidationException'),
    ('an empty set', item(b'{"SS":[]}'), 'ValidationException'),
    ('a set with the same twice', item(b'{"NS":["1","1.0"]}'), 'ValidationException'),
    ('an item over 400 KB', item(b'{"S":"' + b'x' * 410000 + b'"}'), 'ValidationException'),
]


@pytest.mark.parametrize('what, body, code', JSON_BODIES, ids=[row[0] for row in JSON_BODIES])
def test_bad_bodies_of_a_json_service(server, table, what, body, code):
    connection = Connection(server)
    path, body, headers = json_call(server, 'dynamodb', 'PutItem', body)
    status, answer_headers, answer = connection.send('POST', path, body, headers)
    assert status == 400, answer[:300]
    assert error_code(answer_headers, answer) in ((code,) if code else ('SerializationException', 'ValidationException')), answer[:500]
    assert server.client('dynamodb').scan(TableName=table)['Items'] == []
    connection.close()


def test_bad_numbers_of_a_member(server, table):
    """AWS cuts numbers beyond an integer's range to it, and fractions off; everything else is refused."""
    for text in ('-1', '0', 'true', '[]', '"5"', '-99999999999999999999', '1e', '0x5', '05', '--1', '٥'):
        status, answer = Connection(server).json('dynamodb', 'Scan', b'{"TableName":"malformed","Limit":' + text.encode() + b'}')
        assert status == 400, (text, answer)
    for text in ('99999999999999999999999999', '1e400', '1.5', '9' * 5000):
        status, answer = Connection(server).json('dynamodb', 'Scan', b'{"TableName":"malformed","Limit":' + text.encode() + b'}')
        assert status in (200, 400), (text, answer)


REST_BODIES = [
    ('lambda', '/2015-03-31/functions', b'{"FunctionName":', 400),
    ('lambda', '/2015-03-31/functions', b'\xff\xff', 400),
    ('lambda', '/2015-03-31/functions', deep(100000), 400),
    ('lambda', '/2015-03-31/functions', b'{"FunctionName":"f","Code":{"ZipFile":"***"}}', 400),
    ('lambda', '/2015-03-31/functions/%ff/invocations', b'{}', 400),
    ('lambda', '/2015-03-31/functions/%zz/invocations', b'{}', 400),
    ('apigateway', '/restapis', b'{"name":', 400),
    ('apigateway', '/restapis', b'[]', 400),
    ('apigateway', '/restapis', b'{"name":5}', 400),
    ('apigateway', '/restapis', deep(100000), 400),
    ('apigateway', '/restapis/..%2f..%2f/resources/x', b'{"pathPart":"a"}', 404),
]


@pytest.mark.parametrize('service, path, body, status', REST_BODIES, ids=[f'{r[0]} {r[1]} {r[2][:20]!r}' for r in REST_BODIES])
def test_bad_bodies_of_a_rest_service(server, service, path, body, status):
    headers = sign(server, service, 'POST', urllib.parse.quote(path, safe='/%'), body, {'content-type': 'application/json'})
    connection = Connection(server)
    got, answer_headers, answer = connection.send('POST', path, body, headers)
    assert got == status, answer[:300]
    assert error_code(answer_headers, answer)
    assert server.client('lambda').list_functions()['Functions'] == [] and server.client('apigateway').get_rest_apis()['items'] == []
    connection.close()


REDIRECT = 'https://aws.amazon.com/'     # without an Action the query services send one to their page
FORMS = [
    (b'', REDIRECT),
    (b'Version=2010-05-08', REDIRECT),
    (b'Action=Frob&Version=2010-05-08', 'InvalidAction'),
    (b'Action=CreateRole&Version=2010-05-08&RoleName=%ff%fe&AssumeRolePolicyDocument=x', None),
    (b'Action=CreateRole&Version=2010-05-08&RoleName=%zz&AssumeRolePolicyDocument=x', None),
    (b'Action=CreateRole&Version=2010-05-08&RoleName=r', 'ValidationError'),
    (b'Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B', 'MalformedPolicyDocument'),
    (b'Action=CreateRole&Version=2010-05-08&RoleName=r&Tags.member.99999999999999999999.Key=a&AssumeRolePolicyDocument=%7B%7D', None),
    (b'Action=CreateRole&Version=2010-05-08&RoleName=r&Tags.member.1.Key.x.y.z=a&AssumeRolePolicyDocument=%7B%7D', None),
    (b'&&&===&', REDIRECT),
    (b'a=b&' * 5000, REDIRECT),
]


@pytest.mark.parametrize('body, code', FORMS, ids=[repr(f[0][:60]) for f in FORMS])
def test_bad_forms_of_a_query_service(server, body, code):
    headers = sign(server, 'iam', 'POST', '/', body, {'content-type': FORM})
    connection = Connection(server)
    status, answer_headers, answer = connection.send('POST', '/', body, headers)
    if code == REDIRECT:
        assert status == 302 and answer_headers['location'].startswith(REDIRECT)
    else:
        assert 400 <= status < 500, answer[:300]
        found = error_code(answer_headers, answer)
        assert code is None or found == code, answer[:500]
    assert server.client('iam').list_roles()['Roles'] == []
    connection.close()


def trust(**statement):
    return json.dumps({'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Principal': {'Service': 'lambda.amazonaws.com'}, 'Action': 'sts:AssumeRole', **statement}]})


POLICIES = ['', '{', '[]', '"x"', '{}', '{"Version":"2012-10-17"}', '{"Version":"2012-10-17","Statement":5}', '{"Version":"1999-01-01","Statement":[]}',
            trust(Effect='Maybe'), trust(Action=5), trust(Resource='*'), trust(Condition={'Frob': {'a': 'b'}}), trust(Principal={'Frob': '*'}),
            trust(Frob=1), '{"a":' * 5000 + '1' + '}' * 5000]


@pytest.mark.parametrize('text', POLICIES, ids=[p[:70] for p in POLICIES])
def test_bad_policies(server, text):
    iam = server.client('iam')
    with pytest.raises(Exception) as e:
        iam.create_role(RoleName='bad', AssumeRolePolicyDocument=text)
    assert type(e.value).__name__ == 'MalformedPolicyDocumentException' or 'ParamValidation' in str(type(e.value)) or \
        e.value.response['Error']['Code'] in ('ValidationError', 'LimitExceeded'), e.value
    assert iam.list_roles()['Roles'] == []


EXPRESSIONS = ['', 'SET', 'SET a', 'SET a =', 'SET a = :missing', 'SET a = b(', 'FROB a', 'SET #x = :v', 'SET a[99999999999999999999] = :v', 'SET a = :v, a = :v',
               'SET ' + 'a.' * 2000 + 'b = :v', 'SET a = ' + '(' * 5000 + ':v' + ')' * 5000, 'SET a = :v\0', 'SET \u00e4 = :v', 'REMOVE a REMOVE b', 'SET pk = :v',
               'SET a = ' + ':v + ' * 500 + ':v', 'x' * 5000]


@pytest.mark.parametrize('text', EXPRESSIONS, ids=[repr(e[:40]) for e in EXPRESSIONS])
def test_bad_expressions(server, table, text):
    status, answer = Connection(server).json('dynamodb', 'UpdateItem', {
        'TableName': table, 'Key': {'pk': {'S': 'a'}}, 'UpdateExpression': text, 'ExpressionAttributeValues': {':v': {'N': '1'}}})
    assert status == 400 and answer['__type'].endswith('ValidationException'), answer
    assert server.client('dynamodb').scan(TableName=table)['Items'] == []


# ---- the program ----

def refused(**how):
    """The exit status and what it says."""
    server = harness.Server(**how)
    with pytest.raises(RuntimeError) as e:
        server.start()
    return server.process.returncode, str(e.value)


def test_a_data_directory_is_for_one_server(server):
    status, text = refused(data=server.data)
    assert status == 1 and 'another server uses the data directory' in text and '--data' in text
    assert is_alive(server)


def test_a_taken_port_is_refused_and_nothing_is_written(server, tmp_path):
    status, text = refused(data=str(tmp_path / 'data'), port=server.port)
    assert status == 1 and 'taken' in text and '--listen' in text
    assert not os.path.exists(tmp_path / 'data')


def test_wrong_usage(tmp_path):
    for args in (['--frob'], ['--listen', '0.0.0.0:1'], ['--listen', 'x'], ['--account', '1'], ['--log', 'loud']):
        status, text = refused(data=str(tmp_path / 'data'), args=args)
        assert status == 2 and args[0] in text


def test_a_data_directory_that_is_none(tmp_path):
    (tmp_path / 'file').write_text('')
    status, text = refused(data=str(tmp_path / 'file' / 'data'))
    assert status == 1 and 'data directory' in text


def deploy_slow(server, seconds):
    harness.deploy_function(server, 'slow', f'import time\n\ndef handler(event, context):\n    print("begun")\n    time.sleep({seconds})\n    return "done"\n', Timeout=30)


def wait_until_slow_runs(server):
    def messages():
        try:
            return [event['message'] for event in server.client('logs').filter_log_events(logGroupName='/aws/lambda/slow')['events']]
        except ClientError as e:
            assert e.response['Error']['Code'] == 'ResourceNotFoundException'
            return []
    harness.until(lambda: any('begun' in message for message in messages()), 'the function runs')


def test_sigterm_ends_with_0_and_a_running_request_is_answered(tmp_path):
    server = harness.Server(data=str(tmp_path / 'data'), args=['--log', 'warn']).start()
    deploy_slow(server, 3)
    path = '/2015-03-31/functions/slow/invocations'
    headers = sign(server, 'lambda', 'POST', path, b'{}')
    with socket.create_connection(('127.0.0.1', server.port), timeout=20) as s:
        head = ''.join(f'{k}: {v}\r\n' for k, v in headers.items())
        s.sendall(f'POST {path} HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n{{}}'.encode())
        wait_until_slow_runs(server)
        idle = socket.create_connection(('127.0.0.1', server.port), timeout=20)
        server.stop()               # asserts the exit status
        answer = read_all(s)
        assert statuses(answer) == [200] and answer.endswith(b'"done"')
        assert read_all(idle) == b''


def test_a_second_sigterm_ends_at_once(tmp_path):
    server = harness.Server(data=str(tmp_path / 'data'), args=['--log', 'warn']).start()
    deploy_slow(server, 25)
    thread = threading.Thread(target=lambda: pytest.raises(Exception, server.client('lambda').invoke, FunctionName='slow'))
    thread.start()
    wait_until_slow_runs(server)
    server.process.terminate()

    def is_stopping():
        try:
            return not is_alive(server)
        except OSError:
            return True
    harness.until(is_stopping, 'no new requests are taken')
    server.process.terminate()
    assert server.process.wait(timeout=15) == 1         # the function has not ended by then
    thread.join()
