"""The documentation holds: what its pages tell to type works and prints what they show, and no link leads nowhere.

A block marked "sh run" is run: all of a page's, in order, by one `bash -e`, as a person would who has just started a server and
stands in the tree, with the AWS CLI of Debian. A block "text output" right behind it is what it prints; … stands for anything.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness

pytestmark = pytest.mark.plain

ROOT = Path(harness.ROOT)
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
BLOCK = re.compile(r'^```sh run\n(.*?)^```\n(?:\n*```text output\n(.*?)^```\n)?', re.MULTILINE | re.DOTALL)
MARK = '==== block'
PAGE_SECONDS = 150              # a bound for a sanitizer build on a busy machine; a page takes seconds


def name_of(page):
    return str(page.relative_to(ROOT))


def blocks(page):
    """(commands, output or None) of every block that is run."""
    return [(m[1], m[2]) for m in BLOCK.finditer(page.read_text())]


RUNNABLE = [page for page in PAGES if blocks(page)]


def place_for(page_server, tmp_path):
    """A home whose server has the default data directory, and a working directory that looks like the tree."""
    share = tmp_path / 'home/.local/share'
    share.mkdir(parents=True)
    (share / 'cloudless').symlink_to(page_server.data)
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'build').symlink_to(os.path.dirname(os.path.abspath(harness.BINARY)))
    (work / 'examples').symlink_to(ROOT / 'examples')
    env = {k: v for k, v in os.environ.items() if not k.startswith(('AWS_', 'CLOUDLESS_'))}
    path = [os.path.dirname(os.path.abspath(harness.BINARY)), os.path.dirname(sys.executable), '/usr/bin', '/bin']
    return work, {**env, **harness.PROJECT_ENV, 'HOME': str(tmp_path / 'home'), 'PATH': ':'.join(path), 'AWS_PAGER': '', 'AWS_EC2_METADATA_DISABLED': 'true'}


def outputs(text):
    return [part.split('\n', 1)[1] for part in text.split(MARK)[1:]]


def matches(shown, printed):
    pattern = '.*?'.join(map(re.escape, shown.strip().split('…')))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL)


@pytest.mark.parametrize('page', RUNNABLE, ids=name_of)
def test_what_a_page_tells_to_type_works(page, tmp_path):
    server = harness.Server().start()
    try:
        work, env = place_for(server, tmp_path)
        script = ''.join(f"echo '{MARK} {i}'\n{commands}" for i, (commands, _) in enumerate(blocks(page), 1))
        done = subprocess.run(['bash', '-eo', 'pipefail', '-c', script], cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PAGE_SECONDS)
        assert done.returncode == 0, f'{done.stdout}\nthe last block above ended with {done.returncode}'
        for (commands, shown), printed in zip(blocks(page), outputs(done.stdout), strict=True):
            assert shown is None or matches(shown, printed), f'{commands}\nprinted\n{printed}\nbut the page shows\n{shown}'
        server.stop()
    finally:
        if server.process:
            server.kill()
        server.remove()


def test_the_tour_and_the_pages_of_the_services_run():
    names = {name_of(page) for page in RUNNABLE}
    assert {'README.md', *(f'docs/{p}.md' for p in ('running', 'dynamodb', 'lambda', 'apigateway', 'iam', 'logs', 'functions-in-c'))} <= names


@pytest.mark.parametrize('page', [page for page in PAGES if '\n```c\n' in page.read_text()], ids=name_of)
def test_what_a_page_shows_in_c_compiles(page):
    """With every public header; what is not run is not used either."""
    includes = ''.join(f'#include <cloudless/{header.name}>\n' for header in sorted((ROOT / 'include/cloudless').glob('*.h')))
    for snippet in re.findall(r'^```c\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL):
        done = subprocess.run(['gcc', '-std=c11', '-Wall', '-Wextra', '-Werror', '-Wno-unused', '-fsyntax-only', '-I', ROOT / 'include', '-x', 'c', '-'],
                              input=includes + snippet, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    prose = re.sub(r'^```.*?^```', '', page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = [t for t in re.findall(r'\]\(([^)\s]+)\)', prose) if '://' not in t]
    assert [t for t in targets if t.split('#')[0] and not (page.parent / t.split('#')[0]).exists()] == []


def test_every_page_is_linked_from_the_readme():
    linked = set(re.findall(r'\]\((docs/[^)#\s]+)', PAGES[0].read_text()))
    assert [name_of(page) for page in PAGES[1:] if name_of(page) not in linked] == []


UNITS = {'': 1, 'KB': 1 << 10, 'MB': 1 << 20, 'GB': 1 << 30, 's': 1000}


def limits_of_the_source():
    """Name → value of every #define that is a number, suffixes and casts left out."""
    found = {}
    for path in (ROOT / 'src').rglob('*.[ch]'):
        for name, text in re.findall(r'^#define ([A-Z][A-Z0-9_]+) +([^"\n]*?)(?: *//?\*.*)?$', path.read_text(), re.M):
            text = re.sub(r'\(size_t\)|(?<=[0-9])[uUlL]+', '', text)
            if re.fullmatch(r'[0-9 ()*+<]+', text):
                found[name] = eval(text)
    return found


def test_the_table_of_limits_is_the_sources():
    """What a row names has that value; and what clients meet by net/limits.h is there, but for how it is done inside."""
    rows = re.findall(r'^\|[^|]*\| ([0-9,]+) ?([KMG]?B|s)?\b[^|]*\| `([A-Z][A-Z0-9_]+)`', (ROOT / 'docs/security.md').read_text(), re.M)
    named, source = {name: int(number.replace(',', '')) * UNITS[unit] for number, unit, name in rows}, limits_of_the_source()
    assert len(named) > 30 and {name: source.get(name) for name in named} == named
    inside = {'NET_BODY_STREAM_MAX', 'NET_PIECE_BYTES', 'NET_PIECE_LARGE_BYTES', 'NET_PIECE_LARGE_FROM', 'NET_FULL_TOLD_MS', 'NET_H2_NOISE_PER_S', 'NET_REST_MS',
              'NET_LINGER_MS', 'NET_TLS_FILE_BYTES_MAX', 'NET_TLS_RELOAD_MS', *(f'NET_LANE_{lane}_THREADS' for lane in ('READ', 'SCAN', 'BODY', 'UNPACK', 'START'))}
    listed = set(re.findall(r'^#define (NET_\w+)', (ROOT / 'src/net/limits.h').read_text(), re.M))
    assert listed - inside == {name for name in named if name.startswith('NET_')}
