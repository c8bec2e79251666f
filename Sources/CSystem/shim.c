#define _GNU_SOURCE
#include "CSystem.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int csys_next_option(
    int argc, char *const *argv, const char *letters, const struct option *names, int restart,
    const char **argument, int *culprit, int *next) {
    if (restart) optind = 0; // glibc: forget the last command line entirely
    opterr = 0;
    optarg = NULL;
    optopt = 0;
    int found = getopt_long(argc, argv, letters, names, NULL);
    *argument = optarg;
    *culprit = optopt;
    *next = optind;
    return found;
}

pid_t csys_fork(void) { return fork(); }

int csys_drop_groups(void) { return setgroups(0, NULL); }

int csys_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int csys_empty_bounding_set(void) {
    int failed = 0;
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) failed = -1;
    }
    return failed;
}

int csys_drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    // Where there are none, a filter may forbid even to give them up.
    if (syscall(SYS_capget, &header, now) == 0 && memcmp(now, none, sizeof none) == 0) return 0;
    return (int)syscall(SYS_capset, &header, none);
}

long csys_filter_system_calls(const struct sock_filter *program, unsigned short count) {
    struct sock_fprog filter = {count, (struct sock_filter *)program};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
}

int csys_set_dumpable(int dumpable) { return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0); }

int csys_signal_descriptor(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int csys_next_signal(int descriptor) {
    struct signalfd_siginfo info;
    return read(descriptor, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

int csys_accept(int listener, struct sockaddr_storage *peer) {
    socklen_t length = sizeof *peer;
    return accept4(listener, (struct sockaddr *)peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int csys_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

void csys_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

static int forget_code(struct dl_phdr_info *object, size_t size, void *unused) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size, (void)unused;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        // Code only: never written, so nothing is lost with the mapping.
        if (segment->p_type != PT_LOAD || (segment->p_flags & (PF_X | PF_W)) != PF_X) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void csys_forget_startup_code(void) { dl_iterate_phdr(forget_code, NULL); }

ssize_t csys_receive(int descriptor, void *bytes, size_t count) {
    return syscall(SYS_recvfrom, descriptor, bytes, count, 0L, NULL, NULL);
}

ssize_t csys_readv(int descriptor, const struct iovec *vectors, int count) {
    return syscall(SYS_readv, descriptor, vectors, (long)count);
}

ssize_t csys_send(int descriptor, const void *bytes, size_t count, int flags) {
    return syscall(SYS_sendto, descriptor, bytes, count, (long)flags, NULL, 0L);
}

ssize_t csys_sendmsg(int descriptor, const struct msghdr *message, int flags) {
    return syscall(SYS_sendmsg, descriptor, message, (long)flags);
}
