"""aws_quick.py FOLDER -- makes FOLDER/aws, which does what `aws` does in a third of the time, as long as this process lives: the AWS CLI
is loaded here once, and each command is a fork of it. For the demo, whose 200 commands would spend a minute on loading alone.

FOLDER/aws writes its words into FOLDER/PID.words and its pid into the pipe FOLDER/requests, and waits for an exit status in the pipe
FOLDER/PID.status. The fork takes directory, environment, output and errors over from that process (/proc/PID). Without the AWS CLI as a
module of this Python it says so and ends with 3."""
import os
import sys
import traceback

CLIENT = """#!/bin/sh
exec 8>&1 9>&2
at=${0%/*}/$$
mkfifo "$at.status"
printf '%s\\0' "$@" >"$at.words"
echo $$ >"${0%/*}/requests"
read -r status <"$at.status"
rm -f "$at.words" "$at.status"
exit "${status:-255}"
"""

try:
    from awscli.clidriver import create_clidriver
except ImportError:
    print('aws_quick: this Python has no AWS CLI', file=sys.stderr)
    sys.exit(3)


def run(folder, pid):
    """In a fork: the command of process `pid`; its exit status."""
    with open(f'{folder}/{pid}.words') as f:
        words = f.read().split('\0')[:-1]
    with open(f'/proc/{pid}/environ', 'rb') as f:
        environ = dict(pair.split(b'=', 1) for pair in f.read().split(b'\0') if b'=' in pair)
    loaded = {name: value for name, value in os.environb.items() if name == b'AWS_DATA_PATH'}     # awscli sets it when it is imported
    os.environb.clear()
    os.environb.update({**environ, **loaded})
    os.chdir(f'/proc/{pid}/cwd')
    os.dup2(os.open('/dev/null', os.O_RDONLY), 0)
    for theirs, fd in (8, 1), (9, 2):               # its own 1 is the pipe as long as it writes its pid
        os.dup2(os.open(f'/proc/{pid}/fd/{theirs}', os.O_WRONLY | os.O_APPEND), fd)
    status = create_clidriver().main(words)
    sys.stdout.flush()
    sys.stderr.flush()
    return status or 0


def serve(folder, pid):
    """In a fork, which outlives whatever becomes of the command."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            status = run(folder, pid)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 255
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(f'{folder}/{pid}.status', 'w') as f:
        print(status if status >= 0 else 255, file=f)


def main(folder):
    os.mkfifo(f'{folder}/requests')
    # Opened for both, so that it does not end with a writer.
    requests = os.fdopen(os.open(f'{folder}/requests', os.O_RDWR), 'r', buffering=1)
    with open(f'{folder}/aws.new', 'w') as f:
        f.write(CLIENT)
    os.chmod(f'{folder}/aws.new', 0o755)
    create_clidriver()                              # what is loaded late is loaded, too
    os.rename(f'{folder}/aws.new', f'{folder}/aws')
    for line in iter(requests.readline, ''):
        if os.fork() == 0:
            serve(folder, int(line))
            os._exit(0)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


main(sys.argv[1])
