"""compatibility.py ROWS DIR README -- writes DIR/compatibility-SERVICE.md for each service, from the output of list_rows and
botocore's models: what is served, which parameters are refused by name, and which operations answer 501; and the list of
these pages in README. With --check nothing is written; it fails when one of them is not up to date, or no service's."""
import re
import sys
import textwrap
from pathlib import Path

import botocore.session

LIST = re.compile(r'^- Tables of operations: .*?\n(?=- |\n)', re.MULTILINE | re.DOTALL)      # in README


def page(model, rows):
    operations = model.operation_names
    lines = [f'# {model.service_id}: what is served', '',
             'Made from the table of operations by `make docs`; do not edit.', '',
             f'{len(rows)} of {len(operations)} operations. A parameter named below is refused by name (501 NotImplemented) when a request '
             'carries it, whatever its value; of the others, a value that is not honoured is refused in the same way. An operation that is '
             'not listed answers 501 with its name.', '',
             '| operation | refused parameters |', '|---|---|']
    lines += [f'| {name} | {", ".join(f"`{r}`" for r in refused)} |' for name, refused in sorted(rows.items())]
    missing = [name for name in operations if name not in rows]
    lines += ['', '## Answer 501', '', ', '.join(missing) + '.', '']
    return '\n'.join(lines)


def listed(text, links):
    """The README with this list of pages; a link is not broken at its blanks."""
    items = '- Tables of operations: ' + ', '.join(link.replace(' ', '\0') for link in links)
    return LIST.sub(textwrap.fill(items, 132, subsequent_indent='  ', break_long_words=False, break_on_hyphens=False).replace('\0', ' ') + '\n',
                    text, count=1)


def main():
    check = '--check' in sys.argv
    rows_file, folder, readme = map(Path, (a for a in sys.argv[1:] if a != '--check'))
    services = {}
    for line in rows_file.read_text().splitlines():
        service, name, refused = line.split('\t')
        services.setdefault(service, {})[name] = refused.split()
    session = botocore.session.get_session()
    models = {service: session.get_service_model(service) for service in services}
    texts = {folder / f'compatibility-{service}.md': page(models[service], rows) for service, rows in services.items()}
    links = [f'[{models[service].service_id}]({folder}/compatibility-{service}.md)' for service in services]
    foreign = set(folder.glob('compatibility-*.md')) - set(texts)
    texts[readme] = listed(readme.read_text(), links)
    stale = sorted(str(path) for path, text in texts.items() if not path.exists() or path.read_text() != text)
    if check and (stale or foreign):
        sys.exit('not up to date, run `make docs`: ' + ', '.join(stale + sorted(map(str, foreign))))
    for path in () if check else foreign:
        path.unlink()
    for path in () if check else stale:
        Path(path).write_text(texts[Path(path)])


main()
