"""Writes sigv4_vectors.h: requests signed by botocore's own SigV4Auth, for sigv4_test.c. Paths and queries are canonical.

    build/venv/bin/python tests/unit/function/sigv4_vectors.py > tests/unit/function/sigv4_vectors.h
"""
import datetime
import json
from unittest import mock

import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

JSON_TYPE = 'application/x-amz-json-1.0'
LONG_SECRET = 'k' * 100            # more than a block of SHA-256
# when, region, service, key id, secret, token, method, url, further headers, body
CASES = [
    ('20260131T090507Z', 'us-east-1', 'dynamodb', 'AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', None, 'POST',
     'https://dynamodb.us-east-1.amazonaws.com/', {'X-Amz-Target': 'DynamoDB_20120810.GetItem'}, '{"TableName":"t"}'),
    ('20260131T235959Z', 'us-east-1', 'dynamodb', 'AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', None, 'POST',
     'https://dynamodb.us-east-1.amazonaws.com/', {'X-Amz-Target': 'DynamoDB_20120810.PutItem'}, '{"Item":{"id":{"S":"\u00e4\u20ac"}}}'),
    ('20260201T000000Z', 'us-east-1', 'dynamodb', 'AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', None, 'POST',
     'https://dynamodb.us-east-1.amazonaws.com/', {'X-Amz-Target': 'DynamoDB_20120810.GetItem'}, '{}'),
    ('20241231T120000Z', 'eu-central-1', 'dynamodb', 'ASIAEXAMPLE', 'secret', 'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22', 'POST',
     'http://127.0.0.1:4566/', {'X-Amz-Target': 'DynamoDB_20120810.Query'}, 'x' * 5000),
    ('20260131T090507Z', 'eu-central-1', 'dynamodb', 'ASIAEXAMPLE', LONG_SECRET, 'token', 'POST',
     'http://[::1]:8000/', {'X-Amz-Target': 'DynamoDB_20120810.Scan'}, ''),
    ('20150830T123600Z', 'us-east-1', 'iam', 'AKIDEXAMPLE', 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', None, 'GET',
     'https://iam.amazonaws.com/a/b%20c?Action=ListUsers&Version=2010-05-08', {}, ''),
]


def c_string(text):
    return json.dumps(text)[1:-1].encode('utf-8').decode('ascii') if text.isascii() else ''.join(
        c if ' ' <= c <= '~' and c not in '"\\' else ''.join(f'\\{b:03o}' for b in c.encode()) for c in text)


def literal(text):
    """A literal in pieces of one line each."""
    pieces = [text[i:i + 100] for i in range(0, len(text), 100)] or ['']
    return ' '.join(f'"{c_string(piece)}"' for piece in pieces)


def sign(case):
    when, region, service, key_id, secret, token, method, url, headers, body = case
    request = AWSRequest(method, url, headers={**headers, **({'Content-Type': JSON_TYPE} if headers else {})}, data=body.encode())
    moment = datetime.datetime.strptime(when, '%Y%m%dT%H%M%SZ').replace(tzinfo=datetime.timezone.utc)
    signer = botocore.auth.SigV4Auth(Credentials(key_id, secret, token), service, region)
    with mock.patch('botocore.auth.get_current_datetime', lambda remove_tzinfo=True: moment.replace(tzinfo=None), create=True):
        signer.add_auth(request)
    if request.headers['X-Amz-Date'] != when:
        raise SystemExit('botocore took its time from elsewhere')
    path, _, query = request.url.split('//', 1)[1].partition('/')[2].partition('?')
    canonical = signer.headers_to_sign(request)
    pairs = [(name, canonical[name]) for name in sorted(canonical) if name != 'authorization']
    return signer._normalize_url_path('/' + path), query, pairs, request.headers['Authorization']


def main():
    print(f'/* sigv4_vectors.h -- signatures made by sigv4_vectors.py with botocore {botocore.__version__}. */')
    print('static const struct vector vectors[] = {')
    for case in CASES:
        when, region, service, key_id, secret, token, method, url, headers, body = case
        path, query, pairs, authorization = sign(case)
        signed = ', '.join(f'{{"{name}", CL_STR_LIT({literal(value)})}}' for name, value in pairs)
        print(f'    {{"{when}", "{region}", "{service}", "{key_id}", {literal(secret)}, "{method}", "{path}", "{query}",\n'
              f'     {{{signed}}}, {len(pairs)},\n     CL_STR_LIT({literal(body)}),\n     {literal(authorization)}}},')
    print('};')


main()
