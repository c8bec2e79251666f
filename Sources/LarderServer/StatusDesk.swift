// Answers what is asked by HTTP: which path gives what, and the figures behind it, collected once for all who
// ask in the same moment. Everything here happens on the HTTP thread.
import Glibc
import LarderProtocol
import LarderStore

final class StatusDesk {
    /// Microseconds for which a snapshot is good: who asks faster gets the same again.
    private static let freshness: UInt64 = 50_000

    private let server: Server
    private let options: SessionOptions
    private var history = StatusHistory()
    private var snapshot: (facts: StatsFacts, microseconds: UInt64)?

    init(server: Server, options: SessionOptions) {
        self.server = server
        self.options = options
    }

    /// Once a second.
    func beat() {
        let now = monotonicMicroseconds()
        history.add(facts(at: now), microseconds: now, unixMilliseconds: unixMilliseconds())
    }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        guard request.isReading else {
            return HTTPResponse(.methodNotAllowed, text: "only GET and HEAD\n")
        }
        switch request.path {
        case "/": return page()
        case "/status.json": return feed(after: request.number("after") ?? 0)
        case "/metrics": return metrics()
        case "/healthz": return health()
        default:
            return HTTPResponse(.notFound, text: "there are /, /metrics, /healthz and /status.json\n")
        }
    }

    private func page() -> HTTPResponse {
        // What runs in the page has to know this word, which only this answer has.
        let nonce = String(UInt64.random(in: .min ... .max), radix: 36)
            + String(UInt64.random(in: .min ... .max), radix: 36)
        let policy = "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; "
            + "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            + "frame-ancestors 'none'"
        return HTTPResponse(
            .ok, type: "text/html; charset=utf-8", policy: policy,
            body: Array(StatusPage.html(nonce: nonce).utf8))
    }

    private func feed(after: UInt64) -> HTTPResponse {
        let now = monotonicMicroseconds()
        let body = StatusFeed.render(
            facts(at: now), history.since(after), newest: history.newest, health: faults,
            states: server.connectionStates, unixMilliseconds: unixMilliseconds())
        return HTTPResponse(.ok, type: "application/json", body: body)
    }

    private func metrics() -> HTTPResponse {
        let now = monotonicMicroseconds()
        var facts = facts(at: now)
        facts.server.connectionStates = server.connectionStates
        facts.server.threadSilence = server.pulses.map { ($0.name, now > $0.stamp ? now - $0.stamp : 0) }
        let text = Metrics.render(facts, settings: server.settingRows(), admin: server.admin)
        return HTTPResponse(.ok, type: Metrics.contentType, body: text)
    }

    private func health() -> HTTPResponse {
        let faults = faults
        return faults.isEmpty
            ? HTTPResponse(.ok, text: "ok\n")
            : HTTPResponse(.unavailable, text: faults.joined(separator: "\n") + "\n")
    }

    /// Why the server is not well, if it isn't.
    private var faults: [String] {
        if server.isStopping { return ["stopping"] }
        return server.silentThreads.map { "\($0) does not answer" }
    }

    private func facts(at now: UInt64) -> StatsFacts {
        if let snapshot, now < snapshot.microseconds + Self.freshness { return snapshot.facts }
        let facts = StatsFacts.collect(
            store: server.housekeeping, facts: server, admin: server.admin, options: options)
        snapshot = (facts, now)
        return facts
    }

    private func unixMilliseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
