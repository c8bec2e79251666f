// What is asked by HTTP and what is answered, without sockets and libevent: which requests are served at all,
// and the headers every answer has.

struct HTTPRequest {
    /// GET or HEAD.
    var isReading = true
    var path = "/"
    var query = ""
    /// The Host header as it came.
    var host: String?

    /// Whether the request means this server. A page of somebody else's can point its name at this machine
    /// and then read what only this machine may: where only this machine is served (`localOnly`), a name
    /// other than localhost is not. An address needs no name server that could lie.
    func isFor(localOnly: Bool) -> Bool {
        guard localOnly, let host else { return true }
        let name = Self.withoutPort(host)
        return name.lowercased() == "localhost" || name.hasPrefix("[") || Self.isIPv4(name)
    }

    private static func withoutPort(_ host: String) -> Substring {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return host[...end] }
        return host.prefix { $0 != ":" }
    }

    private static func isIPv4(_ text: Substring) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    static func isLoopback(_ address: String) -> Bool { address == "::1" || address.hasPrefix("127.") }

    /// The number that `name=` has in the query.
    func number(_ name: String) -> UInt64? {
        for part in query.split(separator: "&") where part.hasPrefix(name + "=") {
            return UInt64(part.dropFirst(name.utf8.count + 1))
        }
        return nil
    }
}

struct HTTPResponse {
    enum Status: Int {
        case ok = 200, notFound = 404, methodNotAllowed = 405, misdirected = 421, unavailable = 503

        var reason: String {
            switch self {
            case .ok: "OK"
            case .notFound: "Not Found"
            case .methodNotAllowed: "Method Not Allowed"
            case .misdirected: "Misdirected Request"
            case .unavailable: "Service Unavailable"
            }
        }
    }

    let status: Status
    private(set) var headers: [(String, String)]
    let body: [UInt8]

    /// `policy`: what a page may load and run; what is no page, nothing.
    init(_ status: Status, type: String, policy: String = "default-src 'none'", body: [UInt8]) {
        self.status = status
        self.body = body
        headers = [
            ("Content-Type", type),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]
        if status == .methodNotAllowed { headers.append(("Allow", "GET, HEAD")) }
    }

    init(_ status: Status, text: String) {
        self.init(status, type: "text/plain; charset=utf-8", body: Array(text.utf8))
    }
}
