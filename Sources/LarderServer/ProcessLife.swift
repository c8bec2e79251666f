// The process while it serves: what is told to the outside (pid file, service manager, the parent that waits
// in the foreground, the log) when it is ready, when it stops and when it has ended; and the signals that
// make it stop.
import CSystem
import Glibc
import Synchronization

/// One per process. `ready`, `stopping` and `ended` are called in this order, from the main thread.
public final class ProcessLife: Sendable {
    private let settings: Settings
    private let log: Log
    private let notifier: ServiceNotifier
    /// The pipe on which a parent in the foreground waits; -1 if there is none.
    private let parent: Atomic<Int32>

    /// `parent`: the end of the pipe to a parent that waits for `ready`.
    public init(
        settings: Settings, log: Log, parent: Int32? = nil, notifier: ServiceNotifier = ServiceNotifier()
    ) {
        self.settings = settings
        self.log = log
        self.notifier = notifier
        self.parent = Atomic(parent ?? -1)
    }

    /// The ports answer. `listening` names each as an operator writes it: `127.0.0.1:11211`, `unix:/path`,
    /// `udp:...`.
    public func ready(listening: [String]) {
        let where_ = listening.isEmpty ? "nothing" : listening.joined(separator: ", ")
        var line = "Larder \(Version.larder) listens on \(where_); memory \(settings.memoryMegabytes) MiB, "
            + "\(settings.threads) threads, \(settings.maxConnections) connections"
        if listening.contains(where: { !$0.hasPrefix("unix:") }), listening.allSatisfy(ProcessLife.isLocal) {
            line += "; this machine only (-l 0.0.0.0,:: opens it)"
        }
        log.notice(line)
        if let path = settings.pidFile { writePidFile(path) }
        notifier.ready(status: "Listening on \(where_)")
        releaseParent()
    }

    /// Whether only this machine can reach an address spelled as `ready` is given it.
    private static func isLocal(_ address: String) -> Bool {
        let bare = address.hasPrefix("udp:") ? address.dropFirst(4) : Substring(address)
        return ["unix:", "127.", "[::1]:"].contains { bare.hasPrefix($0) }
    }

    /// What can be read again is read again now; `reloaded` follows.
    func reloading() { notifier.reloading() }
    func reloaded() { notifier.readyAgain() }

    /// Every thread has answered lately.
    func isAlive() { notifier.watchdog() }

    /// The daemon begins to stop; `reason` is a few words.
    public func stopping(reason: String) {
        notifier.stopping(status: "Stopping: \(reason)")
        log.info("stopping: \(reason)")
    }

    /// Nothing is served any more; the last call.
    public func ended() {
        if let path = settings.pidFile { removePidFile(path) }
    }

    /// Lets the parent go, and with it the terminal; at -v the output stays where it was, for those who look.
    private func releaseParent() {
        let pipe = parent.exchange(-1, ordering: .relaxed)
        guard pipe >= 0 else { return }
        let null = open("/dev/null", O_RDWR)
        if null >= 0 {
            dup2(null, STDIN_FILENO)
            if settings.verbosity == 0 {
                dup2(null, STDOUT_FILENO)
                dup2(null, STDERR_FILENO)
            }
            if null > STDERR_FILENO { close(null) }
        }
        var byte: UInt8 = 1
        _ = write(pipe, &byte, 1)
        close(pipe)
    }

    // MARK: Pid file

    /// Written beside and renamed, so that nobody reads half a number.
    private func writePidFile(_ path: String) {
        if let other = ProcessLife.pid(in: path), other != getpid(), kill(other, 0) == 0 {
            log.warning("pid file \(path) named a running process, \(other); it names this one now")
        }
        let temporary = path + ".tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            log.error("cannot write the pid file \(path): \(errorText())")
            return
        }
        let text = Array("\(getpid())\n".utf8)
        let written = write(descriptor, text, text.count)
        close(descriptor)
        if written != text.count || rename(temporary, path) != 0 {
            log.error("cannot write the pid file \(path): \(errorText())")
            unlink(temporary)
        }
    }

    private func removePidFile(_ path: String) {
        if ProcessLife.pid(in: path) == getpid() { unlink(path) }
    }

    static func pid(in path: String) -> pid_t? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text = [UInt8](repeating: 0, count: 32)
        let count = read(descriptor, &text, text.count)
        guard count > 0 else { return nil }
        let digits = text.prefix(count).prefix { $0 >= 0x30 && $0 <= 0x39 }
        return pid_t(String(decoding: digits, as: UTF8.self)).flatMap { $0 > 0 ? $0 : nil }
    }
}

/// The signals the daemon lives by, as a descriptor for the main event loop. They are blocked everywhere, so
/// create this before any thread.
public struct SignalSource: Sendable {
    public enum Signal: Sendable, Equatable {
        /// TERM or INT: stop now, exit status 0.
        case stop(name: String)
        /// USR1: stop gracefully.
        case stopGracefully
        /// HUP: read again what can be read again.
        case reload
    }

    /// Readable when a signal has come.
    public let descriptor: Int32

    public init() throws(StartFailure) {
        let signals = [SIGTERM, SIGINT, SIGUSR1, SIGHUP]
        descriptor = csys_signal_descriptor(signals, Int32(signals.count))
        guard descriptor >= 0 else { throw .system("cannot watch for signals: \(errorText())") }
    }

    /// The next signal that came; nil if there is none.
    public func next() -> Signal? {
        switch csys_next_signal(descriptor) {
        case SIGTERM: .stop(name: "SIGTERM")
        case SIGINT: .stop(name: "SIGINT")
        case SIGUSR1: .stopGracefully
        case SIGHUP: .reload
        default: nil
        }
    }
}
