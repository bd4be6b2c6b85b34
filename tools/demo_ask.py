"""demo_ask.py FOLDER -- sends the demo's requests to each application, to the one in Python and to the one in C; FOLDER/NAME-LANGUAGE.url
has their URLs. Prints each request with the answer and both times, in the end cold and warm times. Where the two answers differ, or are
equally wrong, it prints both, and its exit status is 1. JWT_SECRET signs the token for the items."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import statistics
import sys
import time
import urllib.parse

LANGUAGES = 'python', 'c'
STAMP = str(int(time.time()))
WARM_REQUESTS = 20
SHOWN_CHARS = 400               # of an answer

ORDER = {'order_number': f'PO{STAMP}-LANG', 'customer_id': '123', 'items': [{'item_number': '101', 'qty': 10, 'price': '12.03'}], 'total': '120.30'}
ITEM = {'operation': 'create', 'tableName': 'lambda-apigateway', 'payload': {'Item': {'id': STAMP, 'name': 'Ada'}}}
WRONG_ORDER = {'order_number': 'PO1', 'customer_id': '123', 'items': [{'item_number': '101', 'qty': 0, 'price': '12'}], 'total': '0'}

# Name, title with the path of its page, requests (method, path, body, with a token, status of the answer). LANG is the language: the
# tables are shared. The first one finds the application cold and is sent again for the warm times.
APPLICATIONS = [
    ('router', 'The operation router', None, [
        ('POST', '', {'operation': 'ping'}, False, 200),
        ('POST', '', ITEM, False, 200),
        ('POST', '', {'operation': 'list', 'tableName': 'lambda-apigateway'}, False, 200)]),
    ('todo', 'The todo list', '/', [
        ('GET', '/todos', None, False, 200),
        ('POST', '/todos', {'title': 'try Cloudless', 'description': 'made ' + time.strftime('%T')}, False, 201),
        ('GET', '/todos/none', None, False, 404)]),
    ('items', 'Items behind JSON Web Tokens', None, [
        ('GET', '/items?limit=2', None, True, 200),
        ('PUT', '/items/none', {'name': 'nobody', 'description': 'is there'}, True, 404),
        ('GET', '/items', None, False, 401)]),
    ('orders', 'Purchase orders', '/docs', [
        ('GET', '/orders?limit=2', None, False, 200),
        ('POST', '/orders', ORDER, False, 201),
        ('GET', f'/orders/PO{STAMP}-LANG', None, False, 200),
        ('POST', '/orders', WRONG_ORDER, False, 400)]),
]
# What an application makes up itself: identifiers and times.
MADE = re.compile(r'[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)')


def say(text):
    print(f'\n\033[1m{text}\033[0m')


def token():
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b'=')
    text = part(b'{"alg":"HS256","typ":"JWT"}') + b'.' + part(json.dumps({'sub': 'demo', 'exp': int(time.time()) + 3600}).encode())
    return (text + b'.' + part(hmac.new(os.environ['JWT_SECRET'].encode(), text, hashlib.sha256).digest())).decode()


class Application:
    """One application in one language, over one connection."""

    def __init__(self, folder, name, language):
        with open(os.path.join(folder, f'{name}-{language}.url')) as f:
            self.url = f.read().strip()
        url = urllib.parse.urlsplit(self.url)
        self.language, self.path, self.token = language, url.path, token()
        self.connection = http.client.HTTPConnection(url.netloc, timeout=60)

    def ask(self, method, path, body, with_token, _):
        """Status, content type and text of the answer; milliseconds."""
        headers = {**({'Content-Type': 'application/json'} if body else {}), **({'Authorization': 'Bearer ' + self.token} if with_token else {})}
        path, body = [text.replace('LANG', self.language) for text in (self.path + path, json.dumps(body) if body else '')]
        begin = time.perf_counter()
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read().decode()
        return (answer.status, answer.headers.get('Content-Type'), text), 1000 * (time.perf_counter() - begin)

    def comparable(self, answer):
        """The answer without what may differ: the language's name in what this run made, what is made up, the blanks of JSON."""
        status, kind, text = answer
        text = MADE.sub('made', text).replace(f'{STAMP}-{self.language}', f'{STAMP}-LANG')
        return status, kind, json.loads(text, parse_float=str) if kind == 'application/json' else text


def shown(answer):
    status, _, text = answer
    return f'{status} ' + (text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + '…')


def command(url, method, path, body, with_token, _):
    words = ['$ curl', *(['-X', method] if method not in ('GET', 'POST') else []), *(["-H 'Authorization: Bearer …'"] if with_token else []),
             *([f"-d '{json.dumps(body)}'"] if body else []), f"'{url}{path}'"]
    return ' '.join(words).replace('LANG', 'c')


def is_right(answer, status):
    """A function's error that the gateway takes for an answer has 200."""
    return answer[0] == status and not (status < 300 and '"errorMessage"' in answer[2])


def ask_both(pair, request):
    """Prints the request and what came of it; the times, and whether the answers were equal and right."""
    answers, times = zip(*(application.ask(*request) for application in pair))
    equal = pair[0].comparable(answers[0]) == pair[1].comparable(answers[1])
    print(command(pair[1].url, *request))
    right = all(is_right(answer, request[-1]) for answer in answers)
    wrong = 'DIFFERENT' if not equal else f'WRONG ({request[-1]} is right)'
    for application, answer in zip(pair, answers) if not (equal and right) else [(None, answers[1])]:
        print('  ' + (f'{wrong}, {application.language}: ' if application else '') + shown(answer))
    print('  ' + '   '.join(f'{application.language} {ms:.1f} ms' for application, ms in zip(pair, times)))
    return times, equal and right


def main(folder):
    table, failed, count = [], 0, 0
    for name, title, page, requests in APPLICATIONS:
        pair = [Application(folder, name, language) for language in LANGUAGES]
        say(title + (f'; the page is at {pair[1].url}{page}' if page else ''))
        cold = None
        for request in requests:
            times, fine = ask_both(pair, request)
            cold, count, failed = cold or times, count + 1, failed + (not fine)
        warm = [statistics.median(application.ask(*requests[0])[1] for _ in range(WARM_REQUESTS)) for application in pair]
        table.append((name, *cold, *warm))
    say(f'Milliseconds of the first request of each, which starts the function (cold), and of {WARM_REQUESTS} later ones (warm, median)')
    print(f'{"":10}{"cold: python":>14}{"c":>8}{"warm: python":>16}{"c":>8}')
    for name, *times in table:
        print('{:10}{:14.1f}{:8.1f}{:16.1f}{:8.1f}'.format(name, *times))
    print(f'\n{count - failed} of {count} requests had the right answer, the same from Python and from C.')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
