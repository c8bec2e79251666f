// Where a daemon listens, as the command line names it, and the addresses behind the name.
import Glibc

struct Target: Sendable, Equatable {
    enum Place: Sendable, Equatable {
        case tcp(host: String, port: String)
        case unix(path: String)
    }

    let place: Place

    static let usual = Target(place: .tcp(host: "127.0.0.1", port: "11211"))

    /// `HOST:PORT`, `HOST`, `PORT`, `[::1]:PORT`, `/path` or `./path`. Nil when it is none of these.
    static func parse(_ text: String) -> Target? {
        if text.hasPrefix("/") || text.hasPrefix("./") { return Target(place: .unix(path: text)) }
        if text.allSatisfy({ "0123456789".contains($0) }) { return tcp("127.0.0.1", text) }
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            let host = String(text[text.index(after: text.startIndex)..<close])
            let rest = text[text.index(after: close)...]
            if rest.isEmpty { return tcp(host, "11211") }
            return rest.hasPrefix(":") ? tcp(host, String(rest.dropFirst())) : nil
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return tcp(text, "11211")
        case 2: return tcp(parts[0].isEmpty ? "127.0.0.1" : String(parts[0]), String(parts[1]))
        default: return tcp(text, "11211")
        }
    }

    private static func tcp(_ host: String, _ port: String) -> Target? {
        guard !host.isEmpty, let number = UInt16(port), number > 0 else { return nil }
        return Target(place: .tcp(host: host, port: String(number)))
    }

    /// As it stands on the screen.
    var name: String {
        switch place {
        case .unix(let path): Figures.printable(path.utf8)
        case .tcp(let host, let port):
            Figures.printable((host.utf8.contains(0x3A) ? "[\(host)]:\(port)" : "\(host):\(port)").utf8)
        }
    }

    /// Looks the name up; this can take as long as the resolver does.
    func addresses() -> Result<[Address], LookUpFailure> {
        switch place {
        case .unix(let path):
            guard let address = Address(unix: path) else { return .failure(LookUpFailure("path too long")) }
            return .success([address])
        case .tcp(let host, let port):
            var hints = addrinfo()
            hints.ai_flags = AI_NUMERICSERV
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            var list: UnsafeMutablePointer<addrinfo>?
            let fault = getaddrinfo(host, port, &hints, &list)
            guard fault == 0 else { return .failure(LookUpFailure(String(cString: gai_strerror(fault)))) }
            defer { freeaddrinfo(list) }
            var found: [Address] = []
            var next = list
            while let entry = next, found.count < 8 {
                found.append(Address(entry.pointee))
                next = entry.pointee.ai_next
            }
            return .success(found)
        }
    }
}

struct LookUpFailure: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// A socket address of any family.
struct Address: Sendable {
    private let bytes: [UInt8]
    private let family: Int32

    fileprivate init(_ entry: addrinfo) {
        family = entry.ai_family
        bytes = Array(UnsafeRawBufferPointer(start: entry.ai_addr, count: Int(entry.ai_addrlen)))
    }

    fileprivate init?(unix path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        guard !name.isEmpty, name.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        family = AF_UNIX
        bytes = withUnsafeBytes(of: &address) { Array($0) }
    }

    /// A non-blocking socket on its way there, or what the system says against it.
    func connect() -> Result<Int32, LookUpFailure> {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, kind, 0)
        guard descriptor >= 0 else { return .failure(LookUpFailure(systemFault(errno))) }
        let status = bytes.withUnsafeBytes { raw in
            raw.withMemoryRebound(to: sockaddr.self) { address in
                Glibc.connect(descriptor, address.baseAddress!, socklen_t(bytes.count))
            }
        }
        if status == 0 || errno == EINPROGRESS { return .success(descriptor) }
        let reason = systemFault(errno)
        close(descriptor)
        return .failure(LookUpFailure(reason))
    }
}

/// What the system calls an error, for the screen.
func systemFault(_ number: Int32) -> String { Figures.printable(String(cString: strerror(number)).utf8) }
