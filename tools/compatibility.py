"""compatibility.py ROWS DIR -- writes DIR/compatibility-SERVICE.md for each service, from the output of list_rows and
botocore's models: what is served, which parameters are refused by name, and which operations answer 501.
With --check nothing is written; it fails when a page is not up to date."""
import os
import sys

import botocore.session

TITLES = {'apigateway': 'API Gateway (REST)', 'dynamodb': 'DynamoDB', 'iam': 'IAM', 'lambda': 'Lambda', 'logs': 'CloudWatch Logs', 'sts': 'STS'}


def page(service, rows, session):
    operations = session.get_service_model(service).operation_names
    lines = [f'# {TITLES[service]}: what is served', '',
             'Made from the table of operations by `make docs`; do not edit.', '',
             f'{len(rows)} of {len(operations)} operations. A parameter named below is refused by name (501 NotImplemented) when a request '
             'carries it, whatever its value; of the others, a value that is not honoured is refused in the same way. An operation that is '
             'not listed answers 501 with its name.', '',
             '| operation | refused parameters |', '|---|---|']
    lines += [f'| {name} | {", ".join(f"`{r}`" for r in refused)} |' for name, refused in sorted(rows.items())]
    missing = [name for name in operations if name not in rows]
    lines += ['', '## Answer 501', '', ', '.join(missing) + '.', '']
    return '\n'.join(lines)


def main():
    check = '--check' in sys.argv
    rows_file, folder = [a for a in sys.argv[1:] if a != '--check']
    services = {}
    for line in open(rows_file):
        service, name, refused = line.rstrip('\n').split('\t')
        services.setdefault(service, {})[name] = refused.split()
    session = botocore.session.get_session()
    stale = []
    for service, rows in services.items():
        path, text = os.path.join(folder, f'compatibility-{service}.md'), page(service, rows, session)
        if check and (not os.path.exists(path) or open(path).read() != text):
            stale.append(path)
        elif not check:
            open(path, 'w').write(text)
    if stale:
        sys.exit('not up to date, run `make docs`: ' + ', '.join(stale))


main()
