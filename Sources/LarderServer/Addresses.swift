// Socket addresses as text: for `stats conns`, for connection events, and for messages about what can't be
// opened.
import Glibc

/// One end of a socket.
struct SocketAddress {
    var family: Int32
    /// Numeric address without brackets, or a unix socket's path (empty for a client's unnamed end).
    var host: String
    var port: Int

    /// The end that `getsockname` names; nil when the descriptor is no socket any more.
    static func local(_ descriptor: Int32) -> SocketAddress? { ask(descriptor, getsockname) }
    /// The end that `getpeername` names.
    static func peer(_ descriptor: Int32) -> SocketAddress? { ask(descriptor, getpeername) }

    private typealias Question =
        (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32

    private static func ask(_ descriptor: Int32, _ question: Question) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard question(descriptor, address, &length) == 0 else { return nil }
                return SocketAddress(address, length: length)
            }
        }
    }

    init(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        family = Int32(address.pointee.sa_family)
        host = ""
        port = 0
        let raw = UnsafeRawPointer(address)
        switch family {
        case AF_INET:
            let inet = raw.assumingMemoryBound(to: sockaddr_in.self)
            port = Int(UInt16(bigEndian: inet.pointee.sin_port))
            host = Self.text(AF_INET, raw + MemoryLayout<sockaddr_in>.offset(of: \.sin_addr)!)
        case AF_INET6:
            let inet = raw.assumingMemoryBound(to: sockaddr_in6.self)
            port = Int(UInt16(bigEndian: inet.pointee.sin6_port))
            host = Self.text(AF_INET6, raw + MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)!)
        default:
            let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
            let bytes = UnsafeRawBufferPointer(start: raw + start, count: max(0, Int(length) - start))
            host = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    private static func text(_ family: Int32, _ address: UnsafeRawPointer) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            let place = buffer.baseAddress!
            guard inet_ntop(family, address, place, socklen_t(buffer.count)) != nil else { return "" }
            return String(cString: place)
        }
    }

    /// memcached's spelling in `stats conns`: `tcp:127.0.0.1:11211`, `tcp6:[::1]:11211`, `unix:/path`,
    /// `udp:...`.
    func row(isDatagram: Bool) -> String {
        switch family {
        case AF_INET: "\(isDatagram ? "udp" : "tcp"):\(host):\(port)"
        case AF_INET6: "\(isDatagram ? "udp6" : "tcp6"):[\(host)]:\(port)"
        default: "unix:\(host)"
        }
    }

    /// The beginning of a connection event's line.
    func eventText(_ transport: Transport) -> String {
        let isLocal = family != AF_INET && family != AF_INET6
        return "rip=\(isLocal ? "unix" : host) rport=\(port) transport=\(transport.name)"
    }

    /// For people: `127.0.0.1:11211`, `[::1]:11211`, `/path`.
    var readable: String {
        switch family {
        case AF_INET: "\(host):\(port)"
        case AF_INET6: "[\(host)]:\(port)"
        default: host
        }
    }
}
