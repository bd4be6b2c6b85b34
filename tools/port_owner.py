"""port_owner.py PORT -- prints "PID USER NAME" of the process that listens on 127.0.0.1:PORT or any address; nothing if none does. The kernel
tells whose the socket is; which process has it is seen of one's own only, unless one is root: then it is "- USER"."""
import glob
import os
import pwd
import sys


def listeners(port):
    """The inode and the user of each socket that listens there."""
    for table in ('/proc/net/tcp', '/proc/net/tcp6'):
        for line in open(table).readlines()[1:]:
            fields = line.split()
            if fields[3] == '0A' and int(fields[1].rsplit(':', 1)[1], 16) == port:
                yield f'socket:[{fields[9]}]', int(fields[7])


def user_name(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def main():
    wanted = dict(listeners(int(sys.argv[1])))
    for path in glob.glob('/proc/[0-9]*/fd/*'):
        try:
            inode = os.readlink(path)
            if inode in wanted:
                pid = path.split('/')[2]
                print(pid, user_name(wanted[inode]), open(f'/proc/{pid}/comm').read().strip())
                return
        except OSError:
            continue        # the process ended, or is not ours to look at
    for uid in wanted.values():
        print('-', user_name(uid))
        return


main()
