// The service manager's side of the daemon's life: notices by a datagram to NOTIFY_SOCKET, and sockets it
// opened for us (LISTEN_FDS). Both are a few lines of plain protocol, so no library is needed.
import CSystem
import Glibc

/// Tells systemd what the daemon is doing. Does nothing when no one asked to be told.
public struct ServiceNotifier: Sendable {
    private let socketPath: String?

    /// `environment` has NOTIFY_SOCKET when systemd (Type=notify) started us.
    public init(environment: [String: String] = Environment.current) {
        let path = environment["NOTIFY_SOCKET"] ?? ""
        socketPath = path.hasPrefix("/") || path.hasPrefix("@") ? path : nil
    }

    public var isListening: Bool { socketPath != nil }

    public func ready(status: String) { send("READY=1\nSTATUS=\(status)") }
    public func stopping(status: String) { send("STOPPING=1\nSTATUS=\(status)") }
    /// After `reloading`; the status stays what it was.
    public func readyAgain() { send("READY=1") }
    /// To be followed by `readyAgain` when done.
    public func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        send("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }
    public func watchdog() { send("WATCHDOG=1") }

    /// Seconds between two `watchdog` notices, half of what systemd waits; nil if it does not watch us.
    public static func watchdogInterval(environment: [String: String] = Environment.current) -> Double? {
        guard let text = environment["WATCHDOG_USEC"], let microseconds = UInt64(text), microseconds > 0
        else { return nil }
        if let owner = environment["WATCHDOG_PID"], owner != "\(getpid())" { return nil }
        return Double(microseconds) / 2_000_000
    }

    private func send(_ message: String) {
        guard let socketPath, var address = UnixAddress(socketPath) else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var message = message
        message.withUTF8 { text in
            address.withSockaddr { name, length in
                _ = sendto(descriptor, text.baseAddress!, text.count, Int32(MSG_NOSIGNAL), name, length)
            }
        }
    }
}

/// A socket that systemd opened before it started us.
public struct InheritedSocket: Sendable, Equatable {
    public var descriptor: Int32
    public var isDatagram: Bool
    public var isUnix: Bool

    /// The sockets handed over to this very process, marked close-on-exec. A descriptor that nobody
    /// can connect or send to is left out and named in `faults`.
    public static func take(
        environment: [String: String] = Environment.current, firstDescriptor: Int32 = 3
    ) -> (sockets: [InheritedSocket], faults: [String]) {
        guard environment["LISTEN_PID"] == "\(getpid())",
            let count = environment["LISTEN_FDS"].flatMap({ Int32($0) }), count > 0, count <= 1024
        else { return ([], []) }
        var sockets: [InheritedSocket] = []
        var faults: [String] = []
        for descriptor in firstDescriptor..<(firstDescriptor + count) {
            guard let kind = option(SO_TYPE, of: descriptor), let family = option(SO_DOMAIN, of: descriptor)
            else {
                faults.append("descriptor \(descriptor) from LISTEN_FDS is not a socket")
                continue
            }
            let isDatagram = kind == Int32(SOCK_DGRAM.rawValue)
            guard isDatagram || option(SO_ACCEPTCONN, of: descriptor) == 1 else {
                faults.append("descriptor \(descriptor) from LISTEN_FDS takes no connections (Accept=yes?)")
                continue
            }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            sockets.append(
                InheritedSocket(descriptor: descriptor, isDatagram: isDatagram, isUnix: family == AF_UNIX))
        }
        return (sockets, faults)
    }

    private static func option(_ name: Int32, of descriptor: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}

/// The address of a unix socket: a path, or an abstract name spelled with a leading `@`.
struct UnixAddress {
    private var storage = sockaddr_un()
    private let length: socklen_t

    /// nil if `path` is empty or does not fit.
    init?(_ path: String) {
        let bytes = Array(path.utf8)
        // A path needs room for its final 0 byte; an abstract name ends where its length says.
        let isAbstract = bytes.first == 0x40
        let room = MemoryLayout.size(ofValue: storage.sun_path) - (isAbstract ? 0 : 1)
        guard !bytes.isEmpty, bytes.count <= room, !bytes.contains(0) else { return nil }
        storage.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &storage.sun_path) { target in
            target.copyBytes(from: bytes)
            if isAbstract { target[0] = 0 }
        }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
        length = socklen_t(offset + bytes.count + (isAbstract ? 0 : 1))
    }

    mutating func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}

/// The process's environment as a value.
public enum Environment {
    public static var current: [String: String] {
        var values: [String: String] = [:]
        for name in ["NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "WATCHDOG_USEC", "WATCHDOG_PID",
            "MEMCACHED_PORT_FILENAME"] {
            if let value = getenv(name) { values[name] = String(cString: value) }
        }
        return values
    }
}
