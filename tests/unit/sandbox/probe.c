/* probe.c -- what a function may do, tried from inside a sandbox; linked statically, run as /var/task/bootstrap by the tests.
 * probe facts HOST_PORT | exit N | signal N | eat MIB | bomb | stubborn | sleep | orphan | next | environment */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void say(const char *what, long value)
{
    printf("%s=%ld\n", what, value);
}

static long error_of(long r)
{
    return r < 0 ? errno : 0;
}

static int dial(const char *host, int port)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    inet_pton(AF_INET, host, &at.sin_addr);
    if (connect(s, (struct sockaddr *)&at, sizeof at) != 0) {
        int err = errno;
        close(s);
        errno = err;
        return -1;
    }
    return s;
}

static void print_status_lines(void)
{
    static const char *const wanted[] = {
        "Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:"};
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
            if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
                fputs(line, stdout);
}

static long count_in(const char *path, int (*wanted)(const char *))
{
    DIR *d = opendir(path);
    long n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += wanted(e->d_name);
    if (!d)
        return -1;
    closedir(d);
    return n;
}

static int is_number(const char *name)
{
    return name[0] >= '0' && name[0] <= '9';
}

static void list(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            printf("entry=%s/%s\n", path, e->d_name);
}

static void fill_tmp(void)
{
    static char block[1 << 16];
    long total = 0;
    int fd = open("/tmp/fill", O_CREAT | O_WRONLY, 0600);
    memset(block, 1, sizeof block);
    for (ssize_t n; (n = write(fd, block, sizeof block)) > 0;)
        total += n;
    say("tmp_errno", errno);
    say("tmp_bytes", total);
    unlink("/tmp/fill");
}

static void facts(int host_port)
{
    char text[256];
    say("pid", getpid());
    say("processes", count_in("/proc", is_number));
    say("descriptors", count_in("/proc/self/fd", is_number));
    print_status_lines();
    say("write_root", error_of(open("/file", O_CREAT | O_WRONLY, 0600)));
    say("write_task", error_of(open("/var/task/file", O_CREAT | O_WRONLY, 0600)));
    say("write_usr", error_of(open("/usr/file", O_CREAT | O_WRONLY, 0600)));
    say("write_etc", error_of(open("/etc/passwd", O_WRONLY)));
    say("mount", error_of(mount("none", "/tmp", "tmpfs", 0, NULL)));
    say("umount", error_of(umount("/proc")));
    say("unshare", error_of(unshare(CLONE_NEWUSER)));
    say("clone_user", error_of(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0)));
    say("ptrace", error_of(syscall(SYS_ptrace, 0, 0, 0, 0)));
    say("mknod", error_of(mknod("/tmp/disk", S_IFBLK | 0600, 8 << 8)));
    say("chroot", error_of(chroot("/tmp")));
    say("setuid", error_of(setuid(0)));
    say("kill_init", error_of(kill(1, SIGKILL)));
    say("read_init_environ", error_of(open("/proc/1/environ", O_RDONLY)));
    say("read_init_fd", error_of(open("/proc/1/fd", O_RDONLY)));
    say("read_init_root", error_of(open("/proc/1/root", O_RDONLY)));
    say("write_init_oom", error_of(open("/proc/1/oom_score_adj", O_WRONLY)));
    say("outside", error_of(dial("192.0.2.1", 80)));
    say("host_port", error_of(dial("127.0.0.1", host_port)));
    say("runtime_port", error_of(dial("127.0.0.1", 9001)));
    say("aws_port", error_of(dial("127.0.0.1", 4566)));
    say("packet_socket", error_of(socket(17, SOCK_RAW, 0)));
    say("raw_socket", error_of(socket(AF_INET, SOCK_RAW, 1)));
    say("null", open("/dev/null", O_RDWR) >= 0);
    say("urandom", open("/dev/urandom", O_RDONLY) >= 0);
    say("shm", access("/dev/shm", F_OK) == 0);
    gethostname(text, sizeof text);
    printf("host=%s\n", text);
    printf("cwd=%s\n", getcwd(text, sizeof text) ? text : "?");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    say("files", (long)files.rlim_cur);
    list("");
    list("/etc");
    list("/dev");
    list("/opt");
    fill_tmp();
}

static void eat(size_t mib)
{
    for (size_t i = 0; i < mib; i++) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            puts("refused");
            exit(3);
        }
        memset(p, 1, 1 << 20);
    }
    puts("eaten");
}

static void bomb(void)
{
    long n = 0;
    for (;; n++) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0) {
            sleep(600);
            _exit(0);
        }
    }
    say("bomb_errno", errno);
    say("bomb_children", n);
}

/* Ignores what can be ignored, in sessions of their own, parents gone. */
static void stubborn(void)
{
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_IGN);
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            setsid();
            if (fork() == 0)
                for (;;)
                    pause();
            _exit(0);
        }
    while (wait(NULL) > 0 || errno == EINTR)    /* with SIGCHLD ignored: until the ones in between are gone */
        ;
    puts("ready");
    fflush(stdout);
    for (;;)
        pause();
}

static void next(void)
{
    static const char get[] = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\r\n";
    char answer[4096];
    int s = dial("127.0.0.1", 9001);
    if (write(s, get, sizeof get - 1) < 0)
        exit(1);
    if (read(s, answer, sizeof answer) > 0)
        exit(0);
    exit(2);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int n = argc > 2 ? atoi(argv[2]) : 0;
    if (strcmp(what, "facts") == 0)
        facts(n);
    else if (strcmp(what, "environment") == 0)
        for (char **e = environ; *e; e++)
            puts(*e);
    else if (strcmp(what, "exit") == 0)
        return n;
    else if (strcmp(what, "signal") == 0)
        raise(n);
    else if (strcmp(what, "eat") == 0)
        eat((size_t)n);
    else if (strcmp(what, "bomb") == 0)
        bomb();
    else if (strcmp(what, "stubborn") == 0)
        stubborn();
    else if (strcmp(what, "orphan") == 0 && fork() == 0)
        sleep(600);
    else if (strcmp(what, "next") == 0)
        next();
    else if (strcmp(what, "sleep") == 0) {
        puts("ready");
        fflush(stdout);
        sleep(600);
    }
    return 0;
}
