// Socket addresses as text: for `stats conns`, for connection events, and for messages about what can't be
// opened.
import Glibc

/// Whom a client counts as where clients are counted by address: its IPv4 address; of IPv6 the network of 64
/// bits, all of which is usually one customer's; one and the same for all unix sockets.
struct PeerGroup: Hashable {
    private var family: UInt8
    private var bits: UInt64

    static let none = PeerGroup(family: 0, bits: 0)

    static func peer(_ descriptor: Int32) -> PeerGroup {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                let isKnown = getpeername(descriptor, address, &length) == 0
                return isKnown ? PeerGroup(address) : PeerGroup(family: UInt8(AF_UNIX), bits: 0)
            }
        }
    }

    init(_ address: UnsafePointer<sockaddr>) {
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let place = raw + MemoryLayout<sockaddr_in>.offset(of: \.sin_addr)!
            self.init(family: UInt8(AF_INET), bits: UInt64(place.load(as: UInt32.self)))
        case AF_INET6:
            let place = raw + MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)!
            let high = place.loadUnaligned(as: UInt64.self)
            let middle = (place + 8).loadUnaligned(as: UInt32.self)
            // An IPv4 client of a socket that serves both, ::ffff:1.2.3.4.
            if high == 0, middle == UInt32(0xFFFF).bigEndian {
                self.init(family: UInt8(AF_INET), bits: UInt64((place + 12).load(as: UInt32.self)))
            } else {
                self.init(family: UInt8(AF_INET6), bits: high)
            }
        default: self.init(family: UInt8(AF_UNIX), bits: 0)
        }
    }

    init(family: UInt8, bits: UInt64) {
        self.family = family
        self.bits = bits
    }
}

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
