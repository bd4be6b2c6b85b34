"""tests/corpus/protocols/coverage.json against the cases beside it: each of Smithy's protocol tests that concerns a server stands for cases
of ours, or is left out with a reason. The cases themselves run in tests/unit/wire/protocols_test.c."""
import fnmatch
import json
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / 'corpus/protocols'
FILES = json.loads((CORPUS / 'coverage.json').read_text())['files']
NAMES = [case['name'] for path in sorted(CORPUS.glob('*.json')) if path.name != 'coverage.json'
         for case in json.loads(path.read_text())['cases']]


def test_names_of_cases_are_unique():
    assert len(NAMES) == len(set(NAMES)) and len(NAMES) > 500


def test_every_pattern_names_a_case():
    assert [(f['file'], pattern) for f in FILES for pattern in f.get('cases', []) if not fnmatch.filter(NAMES, pattern)] == []


def test_every_id_is_covered_or_left_out_with_a_reason():
    for f in FILES:
        left = [i for reason in f.get('left_out', []) for i in reason['ids']]
        assert all(reason['why'] for reason in f.get('left_out', []))
        assert bool(f.get('ids')) == bool(f.get('cases')) and (f.get('ids') or left), f['file']
        assert len(set(f.get('ids', []) + left)) == len(f.get('ids', []) + left), f['file']


def test_what_is_left_out_is_the_smaller_part():
    covered = sum(len(f.get('ids', [])) for f in FILES)
    left = sum(len(reason['ids']) for f in FILES for reason in f.get('left_out', []))
    assert covered > 450 and covered > 2 * left
