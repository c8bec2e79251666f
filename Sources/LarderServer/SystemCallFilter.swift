// The system calls the daemon may still make once it serves (`-o drop_privileges`, the default): a short
// table, and from it the program that the kernel runs before each call. What is not in the table fails with
// EPERM, so that a call nobody thought of costs what it was for and not the whole cache; starting programs
// and reaching into other processes, which only an intruder wants, ends the process.
import CSystem
import Glibc

enum SystemCallFilter {
    /// What a call's argument must be, by its low 32 bits: that is where all of these are.
    private struct Condition {
        let argument: Int
        let mask: UInt32
        let value: UInt32
    }

    // MARK: The table
    // Found by tracing the daemon through all its tests, with TLS, HTTP and a service manager; and what
    // malloc, threads and clocks of the C library fall back on.

    /// For every request, most frequent first.
    private static let serving: [Int32] = [
        SYS_recvfrom, SYS_sendto, SYS_epoll_pwait, SYS_read, SYS_write, SYS_writev, SYS_readv, SYS_futex,
        SYS_sendmsg, SYS_recvmsg, SYS_accept4, SYS_close, SYS_epoll_ctl, SYS_shutdown,
        SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername, SYS_fcntl, SYS_ppoll,
    ]

    /// Memory: malloc, the store's pages, stacks that are given back.
    private static let memory: [Int32] = [SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise]

    /// Threads, clocks and figures.
    private static let housekeeping: [Int32] = [
        SYS_clock_gettime, SYS_clock_nanosleep, SYS_nanosleep, SYS_sched_yield, SYS_sched_getaffinity,
        SYS_getrusage, SYS_membarrier, SYS_getpid, SYS_gettid, SYS_getrandom, SYS_sysinfo, SYS_rt_sigprocmask,
        SYS_rt_sigaction, SYS_rt_sigreturn, SYS_sigaltstack, SYS_set_robust_list, SYS_rseq,
        SYS_restart_syscall, SYS_exit, SYS_exit_group,
    ]

    /// Reading a password file or certificates again; removing the pid file and the unix socket at the end.
    private static let files: [Int32] = [
        SYS_fstat, SYS_newfstatat, SYS_lseek, SYS_pread64, SYS_faccessat, SYS_unlinkat,
    ]

    #if arch(x86_64)
    /// What other versions of the C library call instead.
    private static let older: [Int32] = [
        SYS_epoll_wait, SYS_poll, SYS_access, SYS_stat, SYS_lstat, SYS_unlink,
    ]
    static let architecture: UInt32 = 0xC000_003E
    #elseif arch(arm64)
    private static let older: [Int32] = []
    static let architecture: UInt32 = 0xC000_00B7
    #else
    private static let older: [Int32] = []
    /// Unknown.
    static let architecture: UInt32 = 0
    #endif

    private static let always = serving + older + memory + housekeeping + files

    private static let writesOrCreates =
        UInt32(O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND) | UInt32(bitPattern: __O_TMPFILE & ~O_DIRECTORY)

    private static var sometimes: [(Int32, Condition)] {
        var found: [(Int32, Condition)] = [
            // No new code: neither mapped nor made out of data.
            (SYS_mmap, Condition(argument: 2, mask: UInt32(PROT_EXEC), value: 0)),
            (SYS_mprotect, Condition(argument: 2, mask: UInt32(PROT_EXEC), value: 0)),
            (SYS_openat, Condition(argument: 2, mask: writesOrCreates, value: 0)),
            // The service manager is told by a unix socket; no connection leaves this machine.
            (SYS_socket, Condition(argument: 0, mask: .max, value: UInt32(AF_UNIX))),
            // How much there is to read, asked by evhttp.
            (SYS_ioctl, Condition(argument: 1, mask: .max, value: 0x541B)),
            // Names of threads that begin.
            (SYS_prctl, Condition(argument: 0, mask: .max, value: UInt32(PR_SET_NAME))),
            // abort, and nobody else's threads.
            (SYS_tgkill, Condition(argument: 0, mask: .max, value: UInt32(getpid()))),
        ]
        #if arch(x86_64)
        found.append((SYS_open, Condition(argument: 1, mask: writesOrCreates, value: 0)))
        #endif
        return found
    }

    private static let deadly: [Int32] = [
        SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    ]

    // MARK: The program

    typealias Step = sock_filter

    /// The kernel's words for what becomes of a call.
    enum Verdict: UInt32 {
        case allowed = 0x7FFF_0000
        /// Fails with EPERM.
        case refused = 0x0005_0001
        /// Ends the process.
        case deadly = 0x8000_0000
    }

    // The codes of linux/bpf_common.h that are needed: load a word, mask it, compare, give the verdict.
    private static func step(_ code: UInt16, _ k: UInt32, _ yes: UInt8 = 0, _ no: UInt8 = 0) -> Step {
        Step(code: code, jt: yes, jf: no, k: k)
    }
    private static func load(_ offset: Int) -> Step { step(0x20, UInt32(offset)) }
    private static func mask(_ bits: UInt32) -> Step { step(0x54, bits) }
    /// Passes over `distance` steps if the word is something else.
    private static func unless(_ value: UInt32, skip distance: UInt8) -> Step {
        step(0x15, value, 0, distance)
    }
    private static func unless(atLeast value: UInt32, skip distance: UInt8) -> Step {
        step(0x35, value, 0, distance)
    }
    private static func end(_ verdict: Verdict) -> Step { step(0x06, verdict.rawValue) }

    // Where the kernel shows the call: its number, the architecture, the arguments of 8 bytes.
    private static let numberOffset = 0, architectureOffset = 4, argumentsOffset = 16

    static var program: [Step] {
        var steps = [
            load(architectureOffset), step(0x15, architecture, 1, 0), end(.deadly), load(numberOffset),
        ]
        #if arch(x86_64)
        // The x32 calls are other numbers for the same calls; nothing here uses them.
        steps += [unless(atLeast: 0x4000_0000, skip: 1), end(.deadly)]
        #endif
        for number in always { steps += [unless(UInt32(number), skip: 1), end(.allowed)] }
        for (number, condition) in sometimes {
            steps += [
                unless(UInt32(number), skip: 5), load(argumentsOffset + 8 * condition.argument),
                mask(condition.mask), unless(condition.value, skip: 1), end(.allowed), end(.refused),
            ]
        }
        for number in deadly { steps += [unless(UInt32(number), skip: 1), end(.deadly)] }
        return steps + [end(.refused)]
    }

    /// Puts all threads of the process under the filter, for good. Nil when done; otherwise why not.
    static func install() -> String? {
        guard architecture != 0 else { return "none is known for this processor" }
        let steps = program
        let result = csys_filter_system_calls(steps, UInt16(steps.count))
        if result == 0 { return nil }
        return result > 0 ? "thread \(result) can't be put under it" : errorText()
    }
}

extension Server {
    /// False: the filter was asked for and can't be had.
    func filterSystemCalls() -> Bool {
        guard settings.filtersSystemCalls != .never else { return true }
        // valgrind makes system calls of its own in this process.
        let isInstrumented = getenv("LD_PRELOAD").map { strstr($0, "vgpreload") != nil } ?? false
        if isInstrumented, settings.filtersSystemCalls == .whenPossible { return true }
        guard let reason = SystemCallFilter.install() else { return true }
        guard settings.filtersSystemCalls == .required else {
            log.notice("without a system call filter: \(reason)")
            return true
        }
        log.error("-o drop_privileges: there can be no system call filter: \(reason)")
        return false
    }
}
