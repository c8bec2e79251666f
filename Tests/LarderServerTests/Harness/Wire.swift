// One connection to a daemon, byte-exact: sends what it is told, reads up to a deadline, never blocks for
// ever.
import Foundation
import Testing

final class Wire {
    private(set) var descriptor: Int32
    private var received: [UInt8] = []
    private var taken = 0
    private var ended = false

    /// The port it was connected to, 0 for a unix socket.
    private(set) var peerPort = 0

    init(descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// A TCP connection to the loopback address of either family.
    static func tcp(_ port: Int, host: String = "127.0.0.1", receiveBuffer: Int? = nil) throws -> Wire {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let address = found else {
            throw Trouble("\(host) is no address")
        }
        defer { freeaddrinfo(found) }
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let wire = Wire(descriptor: socket(address.pointee.ai_family, kind, 0))
        if var size = receiveBuffer.map({ Int32($0) }) {
            setsockopt(wire.descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4)
        }
        guard connect(wire.descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 else {
            throw Trouble("no connection to \(host) port \(port): \(String(cString: strerror(errno)))")
        }
        wire.peerPort = port
        var one: Int32 = 1
        setsockopt(wire.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        return wire
    }

    static func unix(_ path: String) throws -> Wire {
        let wire = Wire(descriptor: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        guard withUnixAddress(path, { connect(wire.descriptor, $0, $1) }) == 0 else {
            throw Trouble("no connection to \(path): \(String(cString: strerror(errno)))")
        }
        return wire
    }

    func close() {
        if descriptor >= 0 { Foundation.close(descriptor) }
        descriptor = -1
    }

    /// Ends the connection with a reset instead of a goodbye.
    func reset() {
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// No more bytes will be sent; answers are still read.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    // MARK: sending

    /// Sends all of it, reading meanwhile whatever comes, so that neither side waits for the other.
    func send(_ bytes: [UInt8], upTo seconds: Double = Surroundings.patience) throws {
        let end = Clock.now + seconds
        var sent = 0
        while sent < bytes.count {
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT | POLLIN), revents: 0)
            if ended { ready.events = Int16(POLLOUT) }
            guard poll(&ready, 1, Int32(max(0, (end - Clock.now) * 1000))) > 0 else {
                throw Trouble("the daemon took \(sent) of \(bytes.count) bytes, then no more")
            }
            if ready.revents & Int16(POLLIN) != 0 { try readOnce() }
            if ready.revents & Int16(POLLOUT) != 0 { sent += try push(bytes[sent...]) }
            if ready.revents & Int16(POLLERR) != 0 { throw Trouble("connection broken after \(sent) bytes") }
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends what the socket takes at once and returns how many bytes that was; reads nothing.
    func push(_ bytes: ArraySlice<UInt8>) throws -> Int {
        let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
        let count = bytes.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, flags) }
        if count >= 0 { return count }
        if errno == EAGAIN || errno == EINTR { return 0 }
        throw Trouble("send: \(String(cString: strerror(errno)))")
    }

    // MARK: receiving

    private func readOnce() throws {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if count > 0 {
            received += chunk[..<count]
        } else if count == 0 || errno == ECONNRESET {
            ended = true
        } else if errno != EAGAIN && errno != EINTR {
            throw Trouble("recv: \(String(cString: strerror(errno)))")
        }
    }

    /// Waits for more bytes; false when the daemon has closed the connection.
    private func more(until end: Double) throws -> Bool {
        if ended { return false }
        if taken > 1 << 20 {
            received.removeFirst(taken)
            taken = 0
        }
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, Int32(max(0, (end - Clock.now) * 1000))) > 0 else {
            throw Trouble("no answer in time; so far: \(printable(Array(received[taken...].suffix(200))))")
        }
        try readOnce()
        return true
    }

    func bytes(_ count: Int, upTo seconds: Double = Surroundings.patience) throws -> [UInt8] {
        let end = Clock.now + seconds
        while received.count - taken < count {
            guard try more(until: end) else {
                throw Trouble("closed after \(printable(Array(received[taken...].suffix(200))))")
            }
        }
        defer { taken += count }
        return Array(received[taken..<taken + count])
    }

    /// The next line, without its line end.
    func line(upTo seconds: Double = Surroundings.patience) throws -> String {
        var line = try rawLine(upTo: seconds).dropLast()
        if line.last == 13 { line = line.dropLast() }
        return String(decoding: line, as: UTF8.self)
    }

    /// memchr: some tests read megabytes, and this is no optimized build.
    private func lineFeed(from start: Int) -> Int? {
        received.withUnsafeBytes { bytes in
            guard start < bytes.count, let base = bytes.baseAddress,
                let found = memchr(base + start, 10, bytes.count - start)
            else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }

    /// The next line as it came.
    func rawLine(upTo seconds: Double = Surroundings.patience) throws -> [UInt8] {
        let end = Clock.now + seconds
        var seen = taken
        while true {
            if let feed = lineFeed(from: seen) {
                defer { taken = feed + 1 }
                return Array(received[taken...feed])
            }
            let scanned = received.count - taken
            guard try more(until: end) else {
                throw Trouble("closed in the middle of a line: \(printable(Array(received[taken...])))")
            }
            seen = taken + scanned
        }
    }

    /// Lines up to and including the one that is `last`.
    func lines(through last: String) throws -> [String] {
        var all: [String] = []
        repeat { all.append(try line()) } while all.last != last
        return all
    }

    /// Everything until the daemon closes.
    func rest(upTo seconds: Double = Surroundings.patience) throws -> [UInt8] {
        let end = Clock.now + seconds
        while try more(until: end) {}
        defer { taken = received.count }
        return Array(received[taken...])
    }

    /// True when the daemon closes without a further byte.
    func isClosed(upTo seconds: Double = Surroundings.patience) throws -> Bool {
        try rest(upTo: seconds).isEmpty
    }

    // MARK: asking

    /// Sends `text` and compares the answer, byte for byte.
    func ask(_ text: String, _ expected: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try send(text)
        try expect(expected, after: text, sourceLocation: sourceLocation)
    }

    func expect(
        _ expected: String, after text: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let end = Clock.now + Surroundings.patience
        let wanted = Array(expected.utf8)
        while received.count - taken < wanted.count {
            let soFar = received[taken...]
            guard wanted.starts(with: soFar), try more(until: end) else { break }
        }
        let got = Array(received[taken..<min(received.count, taken + wanted.count)])
        taken += got.count
        if got != wanted {
            let context = text.isEmpty ? "" : " to \(printable(Array(text.utf8.prefix(300))))"
            Issue.record(
                "answer\(context) is \(printable(got.suffix(300))), not \(printable(wanted.suffix(300)))",
                sourceLocation: sourceLocation)
            throw Trouble("conversation out of step")
        }
    }

    /// Sends `text`, which must be answered by nothing, and makes sure of it with `mn`.
    func tell(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        try ask(text + "mn\r\n", "MN\r\n", sourceLocation: sourceLocation)
    }

    /// The `STAT` lines of `stats <sub>` as a table.
    func stats(_ sub: String = "") throws -> [String: String] {
        try send(sub.isEmpty ? "stats\r\n" : "stats \(sub)\r\n")
        var table: [String: String] = [:]
        for row in try lines(through: "END") where row.hasPrefix("STAT ") {
            let words = row.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
            table[String(words[1])] = words.count > 2 ? String(words[2]) : ""
        }
        return table
    }
}

/// Bytes as a person can read them, line ends and all.
func printable(_ bytes: some Sequence<UInt8>) -> String {
    var text = "\""
    for byte in bytes {
        switch byte {
        case 13: text += "\\r"
        case 10: text += "\\n"
        case 32..<127: text.unicodeScalars.append(Unicode.Scalar(byte))
        default: text += "\\x" + String(byte, radix: 16)
        }
    }
    return text + "\""
}

func withUnixAddress<T>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { room in
        for (index, byte) in path.utf8.prefix(room.count - 1).enumerated() { room[index] = byte }
    }
    return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
