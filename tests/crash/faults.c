/* faults.c -- makes calls of the C library fail, in the built program as it is: a library for LD_PRELOAD.
 *
 * FAULTS_FILE names a file of one page, mapped by every process of the server, in which a test says what fails while the server runs, and
 * reads how often it did. FAULTS_DATA names the data directory: faults of the disk meet regular files of its file system only.
 *
 *   page     struct kind kinds[KINDS]       see enum kind_number; tests/faults/faults.py has the same order
 *   kind     u32 period · u32 left · u64 calls · u64 faults · i64 value
 *
 * Of a kind's calls each `period`-th one fails (0: none), at most `left` times. `value` is the clock's offset in nanoseconds, which a
 * "fault" of the clock moves to the next of jumps[]; that of others says which processes: 0 all, else the one of that number.
 * Allocations are told apart by who asks: libraries in C (LIBRARY), and the program and C++ (ALLOCATION).
 * What came by SCM_RIGHTS and finds no descriptor is closed, and MSG_CTRUNC is set, as the kernel does. Nothing here allocates. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind_number { ALLOCATION, LIBRARY, DESCRIPTOR, SPACE, DISK, READING, SHORT_WRITE, CLOCK, PROCESS, KINDS };

struct kind {
    _Atomic uint32_t period;
    _Atomic int32_t left;
    _Atomic uint64_t calls, faults;
    _Atomic int64_t value;
};

#define RANGES_MAX 8

static struct kind *kinds; /* NULL: nothing fails */
static dev_t data_device;
static struct { uintptr_t from, to; } ours[RANGES_MAX]; /* text of the program and of libraries in C++ */
static size_t ours_n;

static bool due(enum kind_number number)
{
    if (!kinds)
        return false;
    struct kind *kind = &kinds[number];
    uint32_t period = atomic_load_explicit(&kind->period, memory_order_relaxed);
    if (!period)
        return false;
    int64_t only = number == CLOCK ? 0 : atomic_load_explicit(&kind->value, memory_order_relaxed);
    if (only && only != getpid())
        return false;
    if ((atomic_fetch_add(&kind->calls, 1) + 1) % period)
        return false;
    if (atomic_fetch_sub(&kind->left, 1) <= 0) {
        atomic_store(&kind->left, 0);
        return false;
    }
    atomic_fetch_add(&kind->faults, 1);
    return true;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) \
    real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* ---- memory; glibc's own names, because dlsym allocates ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool no_memory(const void *caller)
{
    if (!kinds)
        return false;
    uintptr_t at = (uintptr_t)caller;
    for (size_t i = 0; i < ours_n; i++)
        if (at >= ours[i].from && at < ours[i].to)
            return due(ALLOCATION);
    return due(LIBRARY);
}

static void *none(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size)
{
    return no_memory(__builtin_return_address(0)) ? none() : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? none() : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return no_memory(__builtin_return_address(0)) ? none() : __libc_realloc(old, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
    void *p = no_memory(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
    if (p)
        *ret = p;
    return p ? 0 : ENOMEM;
}

static int note_text(struct dl_phdr_info *info, size_t size, void *first)
{
    (void)size;
    bool is_program = *(bool *)first;
    *(bool *)first = false;
    static const char *const others[] = {"librocksdb", "libstdc++", "libsimdjson"};
    bool counts = is_program;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        counts = counts || strstr(info->dlpi_name, others[i]);
    for (int i = 0; counts && i < info->dlpi_phnum && ours_n < RANGES_MAX; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            ours[ours_n].from = from;
            ours[ours_n++].to = from + info->dlpi_phdr[i].p_memsz;
        }
    return 0;
}

__attribute__((constructor)) static void faults_begin(void)
{
    const char *path = getenv("FAULTS_FILE"), *data = getenv("FAULTS_DATA");
    struct stat of_data;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    bool first = true;
    dl_iterate_phdr(note_text, &first);
    if (data && stat(data, &of_data) == 0)
        data_device = of_data.st_dev;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page != MAP_FAILED)
        kinds = page;
}

/* ---- descriptors ---- */

#define NO_DESCRIPTOR(call) \
    do { \
        if (due(DESCRIPTOR)) { \
            errno = EMFILE; \
            return -1; \
        } \
        return call; \
    } while (0)

/* Files of the data directory: what is to be made there finds no room. `at` as openat has it. */
static bool no_room(int at, const char *path)
{
    struct stat of;
    char folder[4096];
    const char *slash = strrchr(path, '/');
    if (!kinds || !atomic_load_explicit(&kinds[SPACE].period, memory_order_relaxed) || strlen(path) >= sizeof folder)
        return false;
    size_t n = slash ? (size_t)(slash - path) + (slash == path) : 0;
    memcpy(folder, path, n);
    strcpy(folder + n, n ? "" : ".");
    return fstatat(at, folder, &of, 0) == 0 && of.st_dev == data_device && due(SPACE);
}

static int open_file(int at, const char *path, int flags, mode_t mode)
{
    if (due(DESCRIPTOR)) {
        errno = EMFILE;
        return -1;
    }
    if ((flags & (O_CREAT | O_TMPFILE)) && no_room(at, path)) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_openat, at, path, flags, mode);
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list args; \
        va_start(args, flags); \
        mode = va_arg(args, mode_t); \
        va_end(args); \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
    MODE_OF(flags)
    return open_file(at, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    REAL(fopen);
    if (due(DESCRIPTOR)) {
        errno = EMFILE;
        return NULL;
    }
    return real(path, mode);
}

int socket(int domain, int type, int protocol)
{
    NO_DESCRIPTOR((int)syscall(SYS_socket, domain, type, protocol));
}

int socketpair(int domain, int type, int protocol, int pair[2])
{
    NO_DESCRIPTOR((int)syscall(SYS_socketpair, domain, type, protocol, pair));
}

int accept4(int fd, struct sockaddr *address, socklen_t *n, int flags)
{
    NO_DESCRIPTOR((int)syscall(SYS_accept4, fd, address, n, flags));
}

int pipe2(int pair[2], int flags)
{
    NO_DESCRIPTOR((int)syscall(SYS_pipe2, pair, flags));
}

int memfd_create(const char *name, unsigned flags)
{
    NO_DESCRIPTOR((int)syscall(SYS_memfd_create, name, flags));
}

int dup3(int old, int new, int flags)
{
    NO_DESCRIPTOR((int)syscall(SYS_dup3, old, new, flags));
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    REAL(recvmsg);
    ssize_t n = real(fd, message, flags);
    struct cmsghdr *head = n >= 0 ? CMSG_FIRSTHDR(message) : NULL;
    if (!head || head->cmsg_type != SCM_RIGHTS || !due(DESCRIPTOR))
        return n;
    for (size_t at = 0; at + sizeof(int) <= head->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
        int given;
        memcpy(&given, CMSG_DATA(head) + at, sizeof given);
        close(given);
    }
    message->msg_controllen = 0;
    message->msg_flags |= MSG_CTRUNC;
    return n;
}

/* ---- the disk ---- */

static bool on_disk(int fd)
{
    struct stat of;
    return kinds && fstat(fd, &of) == 0 && S_ISREG(of.st_mode) && of.st_dev == data_device;
}

static bool any_of(enum kind_number a, enum kind_number b)
{
    return kinds && (atomic_load_explicit(&kinds[a].period, memory_order_relaxed) || atomic_load_explicit(&kinds[b].period, memory_order_relaxed));
}

/* Whether what changes that file fails; errno is set. */
static bool disk_fails(int fd)
{
    if (!any_of(SPACE, DISK) || !on_disk(fd))
        return false;
    bool full = due(SPACE), broken = due(DISK);
    errno = full ? ENOSPC : EIO;
    return full || broken;
}

static size_t shortened(int fd, size_t n)
{
    return n > 1 && any_of(SHORT_WRITE, SHORT_WRITE) && on_disk(fd) && due(SHORT_WRITE) ? n / 2 : n;
}

ssize_t write(int fd, const void *p, size_t n)
{
    return disk_fails(fd) ? -1 : syscall(SYS_write, fd, p, shortened(fd, n));
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return disk_fails(fd) ? -1 : syscall(SYS_pwrite64, fd, p, shortened(fd, n), at);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
    return disk_fails(fd) ? -1 : syscall(SYS_pwrite64, fd, p, shortened(fd, n), at);
}

int ftruncate(int fd, off_t n)
{
    return disk_fails(fd) ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    return disk_fails(fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, n);
}

int fdatasync(int fd)
{
    return disk_fails(fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return disk_fails(fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int sync_file_range(int fd, off_t at, off_t n, unsigned flags)
{
    return flags && disk_fails(fd) ? -1 : (int)syscall(SYS_sync_file_range, fd, at, n, flags); /* without flags it looks whether there is such a call */
}

int rename(const char *from, const char *to)
{
    if (no_room(AT_FDCWD, to)) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_rename, from, to);
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
    if (no_room(to_at, to)) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_at, from, to_at, to, 0);
}

int mkdir(const char *path, mode_t mode)
{
    if (no_room(AT_FDCWD, path)) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_mkdir, path, mode);
}

static bool reading_fails(int fd)
{
    bool fails = any_of(READING, READING) && on_disk(fd) && due(READING);
    if (fails)
        errno = EIO;
    return fails;
}

ssize_t read(int fd, void *p, size_t n)
{
    return reading_fails(fd) ? -1 : syscall(SYS_read, fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    return reading_fails(fd) ? -1 : syscall(SYS_pread64, fd, p, n, at);
}

ssize_t pread64(int fd, void *p, size_t n, off_t at)
{
    return reading_fails(fd) ? -1 : syscall(SYS_pread64, fd, p, n, at);
}

/* ---- the clock ---- */

static const int64_t jumps[] = {INT64_C(200000000000), INT64_C(-200000000000), 0, INT64_C(7200000000000), INT64_C(-7200000000000), 0};

static int64_t offset_ns(void)
{
    if (due(CLOCK)) {
        uint64_t n = atomic_load(&kinds[CLOCK].faults) - 1;
        atomic_store(&kinds[CLOCK].value, jumps[n % (sizeof jumps / sizeof *jumps)]);
    }
    return kinds ? atomic_load_explicit(&kinds[CLOCK].value, memory_order_relaxed) : 0;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    REAL(clock_gettime);
    int r = real(id, ret);
    if (r != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return r;
    int64_t now = ret->tv_sec * INT64_C(1000000000) + ret->tv_nsec + offset_ns();
    ret->tv_sec = now / 1000000000;
    ret->tv_nsec = now % 1000000000;
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* ---- processes and threads ---- */

pid_t fork(void)
{
    REAL(fork);
    if (due(PROCESS)) {
        errno = EAGAIN;
        return -1;
    }
    return real();
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    REAL(pthread_create);
    return due(PROCESS) ? EAGAIN : real(thread, attributes, run, arg);
}

/* clone3 makes processes; others make descriptors. */
long syscall(long number, ...)
{
    static __typeof__(&syscall) real;
    va_list args;
    va_start(args, number);
    long a[6];
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_clone3 && due(PROCESS)) {
        errno = EAGAIN;
        return -1;
    }
    if ((number == SYS_pidfd_open || number == SYS_open_tree) && due(DESCRIPTOR)) {
        errno = EMFILE;
        return -1;
    }
    if (!real)
        real = (__typeof__(&syscall))dlsym(RTLD_NEXT, "syscall");
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
