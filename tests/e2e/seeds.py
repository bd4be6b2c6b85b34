"""Takes code, policies, payloads and commands out of the public write-ups that must run unmodified."""
import glob
import os
import re
import textwrap

import pytest

import harness

FOLDER = os.path.join(os.path.dirname(harness.ROOT), 'shared', 'seeds')


def text_of(number):
    """The write-up whose file name begins with the number; a test without it is skipped, in CI it fails."""
    found = glob.glob(os.path.join(FOLDER, f'{number}_*.txt'))
    if not found:
        reason = 'the write-ups are not beside the project (../shared/seeds)'
        if os.environ.get('CI') == 'true':
            pytest.fail(reason)
        pytest.skip(reason)
    return open(found[0], encoding='utf-8').read()


def blocks(text, language):
    """Fenced blocks of a language, without the indentation of the list they stand in."""
    found = re.findall(rf'^([ ]*)```{language}\n(.*?)(?:^[ ]*```|\Z)', text, re.S | re.M)
    return [textwrap.dedent(body) for _, body in found]


def block(text, language, *needles):
    """The one block that holds all the needles."""
    found = [b for b in blocks(text, language) if all(n in b for n in needles)]
    assert len(found) == 1, f'{len(found)} {language} blocks with {needles}'
    return found[0]
