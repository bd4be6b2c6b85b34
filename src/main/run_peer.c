/* run_peer.c -- which process has the other end of a connection: the number of its socket stands in /proc/net/tcp, and
 * among the descriptors of the process. What cannot be read, as of another user's process, is not found. */
#include "main/run.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* 0: there is none. */
static unsigned long socket_number(uint16_t from, uint16_t to)
{
    FILE *table = fopen("/proc/net/tcp", "re");
    char line[256];
    unsigned long number = 0;
    while (table && number == 0 && fgets(line, sizeof line, table)) {
        unsigned local, remote;
        unsigned long inode;
        bool read = sscanf(line, " %*u: %*8x:%x %*8x:%x %*x %*s %*s %*s %*u %*u %lu", &local, &remote, &inode) == 3;
        if (read && local == from && remote == to)
            number = inode;
    }
    if (table)
        fclose(table);
    return number;
}

static bool has_link_to(DIR *descriptors, const char *socket)
{
    char target[64];
    for (struct dirent *entry; (entry = readdir(descriptors));) {
        ssize_t n = readlinkat(dirfd(descriptors), entry->d_name, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        if (strcmp(target, socket) == 0)
            return true;
    }
    return false;
}

static bool has_open(const char *pid, const char *socket)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *descriptors = opendir(path);
    if (!descriptors)
        return false;
    bool found = has_link_to(descriptors, socket);
    closedir(descriptors);
    return found;
}

pid_t run_peer(uint16_t from, uint16_t to, pid_t likely)
{
    char socket[32], first[16];
    unsigned long number = socket_number(from, to);
    DIR *processes = number ? opendir("/proc") : NULL;
    pid_t pid = 0;
    if (!processes)
        return 0;
    snprintf(socket, sizeof socket, "socket:[%lu]", number);
    snprintf(first, sizeof first, "%d", (int)likely);
    if (has_open(first, socket))
        pid = likely;
    for (struct dirent *entry; pid == 0 && (entry = readdir(processes));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && has_open(entry->d_name, socket))
            pid = atoi(entry->d_name);
    closedir(processes);
    return pid;
}

bool run_traced(pid_t pid)
{
    char path[64], line[256];
    int tracer = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status) && sscanf(line, "TracerPid: %d", &tracer) != 1)
        ;
    if (status)
        fclose(status);
    return tracer > 0;
}
