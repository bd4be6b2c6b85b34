"""@NAME@: a REST API in Python."""
import json


def hello(event):
    name = event['path'].removeprefix('/hello/')
    print('hello to', name)
    return 200, {'hello': name}


def handler(event, context):
    if not event['path'].startswith('/hello/'):
        status, body = 404, {'error': 'Not found'}
    elif event['httpMethod'] != 'GET':
        status, body = 405, {'error': 'Method not allowed'}
    else:
        status, body = hello(event)
    return {'statusCode': status, 'headers': {'Content-Type': 'application/json'}, 'body': json.dumps(body)}
