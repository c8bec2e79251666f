// System calls and libc functions that Swift's Glibc module lacks or refuses: getopt_long with its global
// variables, fork, prctl, signalfd, setgroups. Thin: each is one call, errors come back as -1 with errno set.
#pragma once
#include <getopt.h>
#include <linux/filter.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>

/// recv, readv, send and sendmsg as bare system calls. In a program with threads glibc's own are points where
/// one can be cancelled: two locked instructions a call, for what no thread here ever is. recv, since read
/// goes through the file layer first: 42 ns of 1147 for a small request.
ssize_t csys_receive(int descriptor, void *bytes, size_t count);
ssize_t csys_readv(int descriptor, const struct iovec *vectors, int count);
ssize_t csys_send(int descriptor, const void *bytes, size_t count, int flags);
ssize_t csys_sendmsg(int descriptor, const struct msghdr *message, int flags);

/// The next option of a command line: its letter (or `val`), ':' if its argument is missing, '?' if it is
/// unknown, -1 at the end. `restart` begins a new command line. `*argument` is the option's argument or NULL;
/// `*culprit` the letter that is at fault (0: a long option); `*next` the index in `argv` that getopt has
/// reached. Not thread-safe: getopt is not.
int csys_next_option(
    int argc, char *const *argv, const char *letters, const struct option *names, int restart,
    const char **argument, int *culprit, int *next);

/// fork, for the moment before any thread exists.
pid_t csys_fork(void);

/// Gives up all supplementary groups.
int csys_drop_groups(void);

/// From here on no program started by this process gains privileges.
int csys_no_new_privileges(void);

/// No program this process could still start gets a capability: empties the bounding set.
int csys_empty_bounding_set(void);

/// Gives up all capabilities of this thread: ambient, inheritable, permitted and effective ones.
int csys_drop_capabilities(void);

/// Lets the kernel run `program` before every system call of every thread. A positive result is the id of a
/// thread that could not be put under it.
long csys_filter_system_calls(const struct sock_filter *program, unsigned short count);

/// A core file of this process may be written (1) or not (0); setuid clears it.
int csys_set_dumpable(int dumpable);

/// Blocks the `count` signals for this thread and those it starts, and returns a non-blocking descriptor that
/// reports them.
int csys_signal_descriptor(const int *signals, int count);

/// The next signal that descriptor reports, or 0 if there is none.
int csys_next_signal(int descriptor);

/// accept4 with SOCK_NONBLOCK | SOCK_CLOEXEC: the new descriptor.
int csys_accept(int listener, struct sockaddr_storage *peer);

/// A non-blocking, close-on-exec eventfd.
int csys_eventfd(void);

/// Names the calling thread for `top` and debuggers; 15 bytes are kept.
void csys_name_thread(const char *name);

/// Drops the mapping of the code of this program and its libraries: start-up has touched all of the
/// runtime's, serving needs little of it. What is needed comes back from the file's cached pages, by some
/// minor faults.
void csys_forget_startup_code(void);
