/* seccomp.c -- the system call filter of every function: a deny list that answers EPERM.
 *
 * Denied is what could change the machine or reach into another process: mounts, namespaces, tracing, kernel modules, keys,
 * clocks, BPF, io_uring (a history of escapes, and it goes round this filter). The kernel's permission checks deny most of it
 * as well: a function has no capability. The filter is the second wall, and keeps rarely used kernel code out of reach.
 * Oddities:
 * - clone3 hides its flags behind a pointer that a filter cannot follow: ENOSYS, at which libc falls back to clone.
 * - ioctl TIOCSTI types into a terminal.
 * - Socket families other than unix, internet and netlink: EAFNOSUPPORT. For packet, vsock, alg, xdp … and for the old ones as well
 *   (X.25, AX.25, IPX …): asking for one makes the kernel load its module, for anyone. So do protocols: of the internet's only TCP
 *   and UDP are let through, of netlink's only ROUTE, which getifaddrs wants; EPROTONOSUPPORT.
 * - mknod makes fifos, files and sockets, as on AWS, but no devices.
 * - io_setup takes slots of a number that the whole machine has: ENOSYS, at which programs go without.
 * The program is made once, by libseccomp, in the server before it forks the launcher; launcher and holders inherit it. */
#include "sandbox/sandbox_internal.h"
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const denied[] = {
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "mbind",
    "migrate_pages",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
    "vmsplice",
};
static const unsigned long namespaces[] = {
    CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP,
};
#define TERMINAL_INPUT 0x5412u      /* TIOCSTI */
#define PROTOCOLS_KNOWN 18          /* of the internet; above all are denied */
static const bool protocol_allowed[PROTOCOLS_KNOWN] = {[0] = true, [IPPROTO_TCP] = true, [IPPROTO_UDP] = true};
#define FAMILIES_KNOWN 17           /* above all are denied */
static const bool family_allowed[FAMILIES_KNOWN] = {[AF_UNIX] = true, [AF_INET] = true, [AF_INET6] = true, [AF_NETLINK] = true};

/* A family's sockets, of all protocols but those below `known` that are allowed. */
static int deny_protocols(scmp_filter_ctx filter, int call, unsigned family, unsigned known, const bool *allowed)
{
    int bad = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPROTONOSUPPORT), call, 2, SCMP_A0(SCMP_CMP_EQ, family, 0),
                               SCMP_A2(SCMP_CMP_GE, known, 0));
    for (unsigned protocol = 0; protocol < known; protocol++)
        if (!allowed[protocol])
            bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPROTONOSUPPORT), call, 2, SCMP_A0(SCMP_CMP_EQ, family, 0),
                                    SCMP_A2(SCMP_CMP_EQ, protocol, 0));
    return bad;
}

static int deny_devices(scmp_filter_ctx filter)
{
    static const unsigned kinds[] = {S_IFCHR, S_IFBLK};
    int bad = 0;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mknod), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
        bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mknodat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, kinds[i]));
    }
    return bad;
}

static int add_rules(scmp_filter_ctx filter)
{
    const int sockets[] = {SCMP_SYS(socket), SCMP_SYS(socketpair)};
    int bad = 0;
    for (size_t i = 0; i < COUNT_OF(denied); i++) {
        int number = seccomp_syscall_resolve_name(denied[i]);
        if (number != __NR_SCMP_ERROR)      /* this machine has it */
            bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
    }
    for (size_t i = 0; i < COUNT_OF(namespaces); i++)
        bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
    bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, TERMINAL_INPUT));
    bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_setup), 0);
    bad |= deny_devices(filter);
    for (size_t i = 0; i < COUNT_OF(sockets); i++) {
        bad |= deny_protocols(filter, sockets[i], AF_INET, PROTOCOLS_KNOWN, protocol_allowed);
        bad |= deny_protocols(filter, sockets[i], AF_INET6, PROTOCOLS_KNOWN, protocol_allowed);
        bad |= deny_protocols(filter, sockets[i], AF_NETLINK, 1, protocol_allowed);
        bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), sockets[i], 1, SCMP_A0(SCMP_CMP_GE, FAMILIES_KNOWN, 0));
        for (unsigned family = 0; family < FAMILIES_KNOWN; family++)
            if (!family_allowed[family])
                bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), sockets[i], 1, SCMP_A0(SCMP_CMP_EQ, family, 0));
    }
    bad |= seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);   /* a binary tree instead of a list */
    return bad;
}

static enum err export_program(scmp_filter_ctx filter, struct sandbox__filter *ret)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return ERR_UNSUPPORTED;
    enum err err = ERR_UNSUPPORTED;
    if (seccomp_export_bpf(filter, fd) == 0) {
        ssize_t n = pread(fd, ret->code, sizeof ret->code, 0);
        if (n > 0 && (size_t)n < sizeof ret->code && (size_t)n % sizeof ret->code[0] == 0) {
            ret->count = (uint16_t)((size_t)n / sizeof ret->code[0]);
            err = ERR_OK;
        }
    }
    close(fd);
    return err;
}

enum err sandbox__filter_make(struct sandbox__filter *ret)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return ERR_UNSUPPORTED;
    enum err err = add_rules(filter) == 0 ? export_program(filter, ret) : ERR_UNSUPPORTED;
    seccomp_release(filter);
    return err;
}
