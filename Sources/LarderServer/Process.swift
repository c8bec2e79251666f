// The process before it serves: limits, user, memory lock, going to the background. All of it happens on one
// thread, before any other exists, and in an order that matters: what needs root comes before root is given
// up, the fork before anything that a child would not inherit.
import CSystem
import Glibc

/// Why the daemon can't start: one line for the operator, and the exit status (sysexits.h).
public struct StartFailure: Error, Equatable {
    public var message: String
    public var exitCode: Int32

    public static func usage(_ message: String) -> StartFailure { StartFailure(message, 64) }
    public static func noUser(_ message: String) -> StartFailure { StartFailure(message, 67) }
    public static func system(_ message: String) -> StartFailure { StartFailure(message, 71) }

    public init(_ message: String, _ exitCode: Int32) {
        self.message = message
        self.exitCode = exitCode
    }
}

/// errno in words.
func errorText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }

enum ProcessSetup {
    /// Does what `settings` ask of the process, and returns its life from here on. Returns in the child if it
    /// forks.
    static func apply(_ settings: Settings, log: Log) throws(StartFailure) -> ProcessLife {
        let isRoot = getuid() == 0 || geteuid() == 0
        guard !isRoot || !(settings.user ?? "").isEmpty else {
            throw .usage("will not run as root without being told as whom: add -u USER (-u root to insist)")
        }
        // A peer that went away is an error of that write, not the end of the daemon.
        signal(SIGPIPE, SIG_IGN)
        try setCoreLimit(settings)
        try raiseDescriptorLimit(settings)
        if settings.locksMemory { raise(__RLIMIT_MEMLOCK, to: unlimited) }
        if isRoot {
            // A container's root may lack the right to; what it has not got it can't give either.
            if csys_empty_bounding_set() != 0 { log.info("the bounding set stays as it is: \(errorText())") }
            try become(settings.user ?? "")
        } else if let user = settings.user {
            log.info("-u \(user) has no effect: only root can change its user")
        }
        if csys_no_new_privileges() != 0 { log.warning("cannot renounce new privileges: \(errorText())") }
        // Whoever is not dumpable is not to be read by a debugger of the same user either.
        if csys_set_dumpable(settings.dumpsCore ? 1 : 0) != 0 {
            log.warning("\(settings.dumpsCore ? "no core files" : "a debugger could read the memory"): "
                + errorText())
        }
        let parent = settings.daemonize ? try daemonize(keepsDirectory: settings.dumpsCore) : nil
        if settings.locksMemory { lockMemory(settings, log) }
        return ProcessLife(settings: settings, log: log, parent: parent)
    }

    /// The last of it, once the ports are open, for which a capability may have been needed. Before there are
    /// threads: each has capabilities of its own, from the one that starts it.
    static func renounceCapabilities(_ log: Log) {
        if csys_drop_capabilities() != 0 { log.warning("cannot renounce capabilities: \(errorText())") }
    }

    // MARK: Limits

    /// RLIM_INFINITY, whose C spelling Swift can't import.
    private static let unlimited = rlim_t.max

    /// Descriptors needed beside the clients': listeners, event bases, timers, log, journal.
    static func reservedDescriptors(_ settings: Settings) -> Int {
        32 + 8 * settings.threads + (settings.http == nil ? 0 : HTTPServer.connectionsMax + 8)
    }

    private static func raiseDescriptorLimit(_ settings: Settings) throws(StartFailure) {
        let need = rlim_t(settings.maxConnections + reservedDescriptors(settings))
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw .system("cannot read the limit of open files: \(errorText())")
        }
        if limit.rlim_cur >= need { return }
        if raise(RLIMIT_NOFILE, to: need) { return }
        // Without the reserve the daemon works too: the last few connections wait until a descriptor is free.
        guard limit.rlim_max >= rlim_t(settings.maxConnections), raise(RLIMIT_NOFILE, to: limit.rlim_max)
        else {
            throw .system(
                "-c \(settings.maxConnections) needs \(need) open files, \(limit.rlim_max) are allowed: "
                    + "raise the limit (ulimit -n, LimitNOFILE=) or lower -c")
        }
    }

    private static func setCoreLimit(_ settings: Settings) throws(StartFailure) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
        guard settings.dumpsCore else {
            // A core holds every value in the cache: only those who ask get one.
            limit.rlim_cur = 0
            setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
            return
        }
        if raise(RLIMIT_CORE, to: unlimited) || raise(RLIMIT_CORE, to: limit.rlim_max) {
            getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
        }
        guard limit.rlim_cur > 0 else { throw .system("-r: core files are not allowed here (ulimit -c)") }
    }

    /// Sets the soft limit, and the hard one where it is lower; false if that is not allowed.
    @discardableResult
    private static func raise(_ resource: __rlimit_resource, to value: rlim_t) -> Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return false }
        limit.rlim_cur = value
        limit.rlim_max = max(limit.rlim_max, value)
        return setrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0
    }

    private static func lockMemory(_ settings: Settings, _ log: Log) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit)
        // With too low a limit the lock would succeed now and make the cache's own reservation fail later.
        let stackMegabytes = 8 * (settings.threads + 2)
        let need = rlim_t(settings.memoryMegabytes + stackMegabytes + 64) << 20
        guard limit.rlim_cur >= need || geteuid() == 0 else {
            let allowed = limit.rlim_cur >> 10
            log.warning("-k: memory is not locked: the limit is \(allowed) KiB, \(need >> 10) needed")
            return
        }
        // As pages are touched, not before: far more address space is reserved than -m ever uses.
        if mlockall(Int32(MCL_CURRENT) | Int32(MCL_FUTURE) | Int32(MCL_ONFAULT)) != 0 {
            log.warning("-k: memory is not locked: \(errorText())")
        }
    }

    // MARK: User

    private static func become(_ user: String) throws(StartFailure) {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var names = [CChar](repeating: 0, count: 16 << 10)
        let failed = getpwnam_r(user, &entry, &names, names.count, &found)
        guard failed == 0, found != nil else {
            throw .noUser("-u: there is no user \"\(user)\"")
        }
        // EPERM: a container that runs as root without the right to change groups has none to give up.
        if csys_drop_groups() != 0, errno != EPERM {
            throw .system("-u \(user): cannot give up supplementary groups: \(errorText())")
        }
        guard setgid(entry.pw_gid) == 0, setuid(entry.pw_uid) == 0 else {
            throw .system("-u \(user): cannot change to that user: \(errorText())")
        }
        guard entry.pw_uid == 0 || setuid(0) != 0 else {
            throw .system("-u \(user): root could be taken back, which must not be")
        }
    }

    // MARK: Background

    /// Forks. The parent stays until the child serves or dies, and exits with its fate, so that a fault of
    /// the start is the caller's to see. Returns in the child: the pipe that ends the parent's wait.
    private static func daemonize(keepsDirectory: Bool) throws(StartFailure) -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw .system("-d: \(errorText())") }
        let child = csys_fork()
        guard child >= 0 else { throw .system("-d: cannot fork: \(errorText())") }
        if child > 0 {
            close(ends[1])
            waitForChild(child, ends[0])
        }
        close(ends[0])
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        guard setsid() >= 0 else { throw .system("-d: cannot start a session: \(errorText())") }
        // Cores go to the working directory: who wants them keeps it.
        if !keepsDirectory, chdir("/") != 0 { throw .system("-d: cannot change to /: \(errorText())") }
        return ends[1]
    }

    private static func waitForChild(_ child: pid_t, _ pipe: Int32) -> Never {
        var byte: UInt8 = 0
        var got = read(pipe, &byte, 1)
        while got < 0, errno == EINTR { got = read(pipe, &byte, 1) }
        if got == 1 { _exit(0) }
        var status: Int32 = 0
        waitpid(child, &status, 0)
        // The low 7 bits are the signal that ended the child; 0: it exited, with the status in the next 8.
        _exit(status & 0x7F == 0 ? (status >> 8) & 0xFF : 70)
    }
}
