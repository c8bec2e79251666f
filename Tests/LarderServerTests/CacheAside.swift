// An example for those who write services in Swift: cache-aside without a stampede. Of many clients that miss
// a key at the same moment one loads it, the others wait a little or take the old value. The file stands by
// itself; `ExampleTests` runs it, beside the same in Python and PHP.
import Foundation

/// One connection, for one task at a time.
final class Cache {
    struct Trouble: Error { let reason: String }

    private let host: String
    private let port: Int
    private var stream: UnsafeMutablePointer<FILE>?

    init(host: String, port: Int) { (self.host, self.port) = (host, port) }

    deinit { if let stream { fclose(stream) } }

    /// Sends a meta command; returns the flags of the answer, and the value if one came.
    func ask(_ command: String, _ value: [UInt8]? = nil) throws -> (flags: [String], value: [UInt8]?) {
        let stream = try self.stream ?? connect()
        self.stream = stream
        let bytes = Array(command.utf8) + [13, 10] + (value.map { $0 + [13, 10] } ?? [])
        var line = [CChar](repeating: 0, count: 2048)
        guard fwrite(bytes, 1, bytes.count, stream) == bytes.count, fflush(stream) == 0,
            fgets(&line, Int32(line.count), stream) != nil
        else { throw broken() }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
        guard words.first == "VA", words.count > 1, let length = Int(words[1]) else {
            return (Array(words.dropFirst()), nil)
        }
        var body = [UInt8](repeating: 0, count: length + 2)
        guard fread(&body, 1, body.count, stream) == body.count else { throw broken() }
        return (Array(words.dropFirst(2)), Array(body.dropLast(2)))
    }

    /// Whatever was on its way must not be taken for the next answer.
    private func broken() -> Trouble {
        if let stream { fclose(stream) }
        stream = nil
        return Trouble(reason: "the cache does not answer")
    }

    private func connect() throws -> UnsafeMutablePointer<FILE> {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let place = list?.pointee else {
            throw Trouble(reason: "no such host")
        }
        defer { freeaddrinfo(list) }
        let descriptor = socket(place.ai_family, place.ai_socktype, 0)
        var patience = timeval(tv_sec: 1, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        guard Foundation.connect(descriptor, place.ai_addr, place.ai_addrlen) == 0,
            let stream = fdopen(descriptor, "r+")
        else {
            close(descriptor)
            throw Trouble(reason: String(cString: strerror(errno)))
        }
        return stream
    }

    /// The value of `key` (neither blanks nor control characters, 250 bytes at most), from the cache or else
    /// from `load`.
    func fetch(_ key: String, ttl: Int, load: () throws -> [UInt8]) throws -> [UInt8] {
        guard let found = look(key) else { return try load() }
        switch found {
        case .value(let value): return value
        case .toLoad(let version):
            do {
                let value = try load()
                // C: only if nobody has changed or invalidated the key since.
                _ = try? ask("ms \(key) \(value.count) T\(ttl) C\(version)", value)
                return value
            } catch {
                _ = try? ask("md \(key) C\(version)")  // Let another one try.
                throw error
            }
        }
    }

    private enum Finding {
        case value([UInt8])
        case toLoad(version: String)
    }

    /// What the cache has, or that loading it is ours; nil when the cache is away or another client that
    /// loads takes too long.
    private func look(_ key: String) -> Finding? {
        for _ in 0..<40 {
            // v: the value, c: its version. N30: if it is missing, whoever asks first wins and has 30 s to
            // load it. R10: in the last 10 s of its life one client wins and loads it anew, before a miss.
            guard let (flags, value) = try? ask("mg \(key) v c N30 R10") else { return nil }
            if flags.contains("W"), let version = flags.first(where: { $0.hasPrefix("c") }) {
                return .toLoad(version: String(version.dropFirst()))
            }
            // Perhaps with Z: another client is loading a newer one.
            if let value, !value.isEmpty { return .value(value) }
            usleep(50_000)  // Z and no value: another client is loading the first one.
        }
        return nil
    }

    /// After a change of the data. I: the old value stays for 30 s, as stale; the next client wins and loads.
    func invalidate(_ key: String) throws { _ = try ask("md \(key) I T30") }
}
