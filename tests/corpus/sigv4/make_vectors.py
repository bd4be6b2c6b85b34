"""Signs requests with botocore and writes vectors.json, which tests/unit/auth/sigv4_test.c checks.

Usage: build/venv/bin/python tests/corpus/sigv4/make_vectors.py > tests/corpus/sigv4/vectors.json
The oracle is botocore.auth of the version pinned in requirements.txt. The clock is fixed, so the output is
the same every time. `target` is what travels in the request line.
"""
import datetime
import json
import sys
from unittest import mock

import botocore
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 1, 31, 9, 5, 7, tzinfo=datetime.timezone.utc)
KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

CASES = [
    # name, method, url, headers, body, service, token
    ("get", "GET", "http://localhost:4566/", {}, "", "iam", None),
    ("post json", "POST", "http://localhost:4566/",
     {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"},
     '{"TableName":"t","Key":{"id":{"S":"1"}}}', "dynamodb", None),
    ("post form", "POST", "http://localhost:4566/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
     "Action=GetCallerIdentity&Version=2011-06-15", "sts", None),
    ("session token", "POST", "http://localhost:4566/", {}, "x", "sts", "token/with+signs=="),
    ("path", "GET", "http://localhost:4566/2015-03-31/functions/f", {}, "", "lambda", None),
    ("path with escapes", "GET", "http://localhost:4566/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af",
     {}, "", "lambda", None),
    ("path with a space", "GET", "http://localhost:4566/a%20b/c%2Fd", {}, "", "apigateway", None),
    ("path with slashes", "GET", "http://localhost:4566//a//b/", {}, "", "apigateway", None),
    ("path with dots", "GET", "http://localhost:4566/a/./b/../c", {}, "", "apigateway", None),
    ("path above the root", "GET", "http://localhost:4566/../../a/..", {}, "", "apigateway", None),
    ("path with unreserved", "GET", "http://localhost:4566/-._~AZaz09", {}, "", "apigateway", None),
    ("path utf-8", "GET", "http://localhost:4566/%E1%88%B4", {}, "", "apigateway", None),
    ("query", "GET", "http://localhost:4566/restapis?limit=5&embed=methods", {}, "", "apigateway", None),
    ("query order by name", "GET", "http://localhost:4566/?b=1&a=2&B=3&A=4", {}, "", "apigateway", None),
    ("query order by value", "GET", "http://localhost:4566/?k=b&k=a&k=B", {}, "", "apigateway", None),
    ("query prefix names", "GET", "http://localhost:4566/?ab=1&a=2&a-b=3", {}, "", "apigateway", None),
    ("query empty value", "GET", "http://localhost:4566/?a=&b=", {}, "", "apigateway", None),
    ("query encoded", "GET", "http://localhost:4566/?tagKeys=a%20b&tagKeys=c%2Fd%3D", {}, "", "apigateway", None),
    ("header spaces", "GET", "http://localhost:4566/", {"My-Header1": "  a   b  c ", "My-Header2": '"x   y"'}, "", "iam", None),
    ("header order", "GET", "http://localhost:4566/", {"Zeta": "1", "alpha": "2", "X-Amz-Custom": "3"}, "", "iam", None),
    ("payload header", "POST", "http://localhost:4566/", {"X-Amz-Content-SHA256": None}, "body", "logs", None),
    ("large body", "PUT", "http://localhost:4566/x", {}, "0123456789" * 500, "lambda", None),
    ("delete", "DELETE", "http://localhost:4566/restapis/abc", {}, "", "apigateway", None),
    ("s3 path once", "GET", "http://localhost:4566/b/a%20b//c", {}, "", "s3", None),
]


# Presigned: name, method, url, signed headers, parameters, service, token, seconds.
PRESIGNED = [
    ("who am I", "GET", "http://localhost:4566/", {}, {"Action": "GetCallerIdentity", "Version": "2011-06-15"}, "sts", None, 60),
    ("session", "GET", "http://localhost:4566/", {}, {"Action": "GetCallerIdentity", "Version": "2011-06-15"}, "sts",
     "token/with+signs==", 900),
    ("another header", "GET", "http://localhost:4566/", {"x-k8s-aws-id": "cluster"},
     {"Action": "GetCallerIdentity", "Version": "2011-06-15"}, "sts", None, 60),
    ("path", "GET", "http://localhost:4566/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af", {}, {}, "lambda",
     None, 100),
    ("parameters", "GET", "http://localhost:4566/restapis?limit=5&position=a%20b%2B", {}, {}, "apigateway", None, 100),
    ("header of the target", "POST", "http://localhost:4566/",
     {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}, {}, "dynamodb", None, 100),
    ("object", "GET", "http://localhost:4566/b/a%20b//c", {}, {}, "s3", None, 604800),
    ("object, session", "PUT", "http://localhost:4566/b/k", {}, {"x-id": "PutObject"}, "s3", "token/with+signs==", 1),
]


def add_auth(signer, request):
    with mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: NOW.replace(tzinfo=None), create=True):
        signer.add_auth(request)


def presign(case):
    name, method, url, headers, params, service, token, seconds = case
    request = AWSRequest(method=method, url=url, headers=headers, params=params)
    add_auth((S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth)(Credentials(KEY, SECRET, token), service, "us-east-1", seconds),
             request)
    return {
        "name": name, "method": method, "target": request.url[len("http://localhost:4566"):],
        "headers": [["Host", "localhost:4566"]] + [[k, v] for k, v in request.headers.items()], "service": service,
        "s3": service == "s3", "seconds": seconds,
    }


def sign(case):
    name, method, url, headers, body, service, token = case
    import hashlib
    sent = {k: hashlib.sha256(body.encode()).hexdigest() if v is None else v for k, v in headers.items()}
    request = AWSRequest(method=method, url=url, data=body.encode(), headers=sent)
    add_auth((S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials(KEY, SECRET, token), service, "us-east-1"), request)
    prepared = [["Host", "localhost:4566"]] + [[k, v] for k, v in request.headers.items()]
    return {
        "name": name, "method": method, "target": url[len("http://localhost:4566"):] or "/", "headers": prepared,
        "body": body, "service": service, "s3": service == "s3",
    }


json.dump({"source": f"botocore {botocore.__version__}, botocore.auth", "secret": SECRET,
           "time": "2026-01-31T09:05:07Z", "vectors": [sign(c) for c in CASES], "presigned": [presign(c) for c in PRESIGNED]}, sys.stdout, indent=1)
print()
