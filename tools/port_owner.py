"""port_owner.py PORT -- prints "PID NAME" of the process that listens on 127.0.0.1:PORT or any address; nothing if none is seen."""
import glob
import os
import sys


def listening_inodes(port):
    for table in ('/proc/net/tcp', '/proc/net/tcp6'):
        for line in open(table).readlines()[1:]:
            fields = line.split()
            if fields[3] == '0A' and int(fields[1].rsplit(':', 1)[1], 16) == port:
                yield fields[9]


def main():
    wanted = {f'socket:[{inode}]' for inode in listening_inodes(int(sys.argv[1]))}
    for path in glob.glob('/proc/[0-9]*/fd/*'):
        try:
            if os.readlink(path) in wanted:
                pid = path.split('/')[2]
                print(pid, open(f'/proc/{pid}/comm').read().strip())
                return
        except OSError:
            continue        # the process ended, or is not ours to look at


main()
