"""Asks the handler with events that `cloudless event` makes."""
import json
import subprocess
import unittest

import app


def ask(*options):
    event = json.loads(subprocess.run(['cloudless', 'event', 'apigw-proxy', *options], check=True, capture_output=True, text=True).stdout)
    return app.handler(event, None)


class Hello(unittest.TestCase):
    def test_a_name_is_greeted(self):
        self.assertEqual(json.loads(ask('--path', '/hello/Ada')['body']), {'hello': 'Ada'})

    def test_another_path_is_not_found(self):
        self.assertEqual(ask('--path', '/nothing')['statusCode'], 404)

    def test_another_method_is_not_allowed(self):
        self.assertEqual(ask('--path', '/hello/Ada', '--method', 'POST')['statusCode'], 405)


unittest.main()
