// `--http`: what is answered, what is refused, and that nobody can make it suffer.
import Foundation
import Testing

import LarderProtocol

@testable import LarderServer

/// One answer, taken apart.
struct HTTPAnswer {
    let status: Int
    let headers: [String: String]
    let body: String
}

extension Daemon {
    var httpPort: Int { ports.first { $0.family.hasPrefix("HTTP") }?.port ?? 0 }

    /// Asks once, on a connection of its own.
    func http(
        _ path: String, method: String = "GET", host: String = "localhost", more: String = ""
    ) throws -> HTTPAnswer {
        let wire = try Wire.tcp(httpPort)
        try wire.send("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\(more)\r\n")
        return try HTTPAnswer(wire.rest())
    }
}

extension HTTPAnswer {
    init(_ bytes: [UInt8]) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { throw Trouble("no answer: \(printable(bytes))") }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        headers = Dictionary(
            lines.dropFirst().map { line in
                let halves = line.split(separator: ":", maxSplits: 1)
                return (halves[0].lowercased(), halves.count > 1 ? halves[1].dropFirst().description : "")
            }, uniquingKeysWith: { $1 })
        body = String(text[end.upperBound...])
    }

    /// The value of a line of `/metrics`.
    func metric(_ name: String) -> Double? {
        body.split(separator: "\n").first { $0.hasPrefix(name + " ") }?.split(separator: " ").last
            .flatMap { Double($0) }
    }
}

@Suite struct HTTPTests {
    @Test func isOffUnlessAskedFor() throws {
        try withDaemon { daemon in
            #expect(!daemon.ports.contains { $0.family.hasPrefix("HTTP") })
            let settings = try daemon.connect().stats("settings")
            #expect(settings["http"] == "NULL")
        }
    }

    @Test func answersWhatThereIs() throws {
        try withDaemon("--http=-1") { daemon in
            let health = try daemon.http("/healthz")
            #expect(health.status == 200 && health.body == "ok\n")
            let metrics = try daemon.http("/metrics")
            #expect(metrics.headers["content-type"] == Metrics.contentType)
            #expect(try daemon.http("/metrics?x=1").status == 200)
            for path in ["/nothing", "/metrics/", "//", "/../etc/passwd", "/%2e", "*", "/status.jsonx"] {
                let status = try daemon.http(path).status
                #expect([404, 400].contains(status), "\(path)")
            }
            for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
                let answer = try daemon.http("/", method: method)
                #expect(answer.status == 405 && answer.headers["allow"] == "GET, HEAD", "\(method)")
            }
            let head = try daemon.http("/metrics", method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty)
            #expect(Int(head.headers["content-length"] ?? "") ?? 0 > 1000)
        }
    }

    /// Several requests on one connection, as scrapers and browsers do.
    @Test func keepsConnectionsOpen() throws {
        try withDaemon("--http=-1") { daemon in
            let wire = try Wire.tcp(daemon.httpPort)
            for _ in 0..<3 {
                try wire.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                var line = try wire.line()
                #expect(line == "HTTP/1.1 200 OK")
                while !line.isEmpty { line = try wire.line() }
                #expect(try wire.line() == "ok")
            }
        }
    }

    @Test func metricsFollowTheRequests() throws {
        try withDaemon("--http=-1") { daemon in
            let wire = try daemon.connect()
            for i in 0..<10 { try wire.ask("set k\(i) 0 0 1\r\nx\r\n", "STORED\r\n") }
            try wire.ask("get k0\r\n", "VALUE k0 0 1\r\nx\r\nEND\r\n")
            try wire.ask("get none\r\n", "END\r\n")
            var answer = try daemon.http("/metrics")
            let hits = "memcached_commands_total{command=\"get\",status=\"hit\"}"
            try wait(for: "the get in the metrics") {
                answer = try daemon.http("/metrics")
                return answer.metric(hits) == 1
            }
            let stats = try wire.stats()
            #expect(answer.metric("memcached_current_items") == 10)
            #expect(answer.metric("memcached_commands_total{command=\"set\",status=\"hit\"}") == 10)
            #expect(answer.metric("memcached_limit_bytes") == stats["limit_maxbytes"].flatMap { Double($0) })
            #expect(answer.metric("larder_connections{state=\"conn_read\"}") == 1)
            #expect(answer.metric("larder_command_duration_seconds_count") ?? 0 >= 1)
            #expect(answer.metric("process_resident_memory_bytes") ?? 0 > 1e6)
            #expect(answer.metric("larder_thread_silence_seconds{thread=\"worker 0\"}") ?? 99 < 5)
        }
    }

    @Test func prometheusFindsNoFault() throws {
        let promtool = Surroundings.find("promtool")
        try Surroundings.require(promtool != nil, "promtool (Debian's prometheus)")
        try withDaemon("--http=-1") { daemon in
            try daemon.connect().ask("set k 0 0 1\r\nx\r\n", "STORED\r\n")
            let file = daemon.folder.path("metrics")
            try daemon.http("/metrics").body.write(toFile: file, atomically: true, encoding: .utf8)
            let script = "exec \(promtool!) check metrics < \(file)"
            let (ending, output, errors) = try ChildProcess.run("/bin/sh", ["-c", script])
            #expect(ending == .exited(0))
            #expect(output + errors == "")
        }
    }

    @Test func theFeedGrowsBySeconds() throws {
        struct Feed: Decodable {
            let newest: Int
            let columns: [String]
            let seconds: [[Double?]]
            let health: [String]
        }
        try withDaemon("--http=-1") { daemon in
            let wire = try daemon.connect()
            for _ in 0..<50 { try wire.ask("get none\r\n", "END\r\n") }
            var feed: Feed?
            try wait(for: "two seconds of history") {
                let body = try daemon.http("/status.json").body
                feed = try JSONDecoder().decode(Feed.self, from: Data(body.utf8))
                return (feed?.newest ?? 0) >= 2
            }
            guard let feed else { return }
            #expect(feed.health.isEmpty)
            #expect(feed.seconds.allSatisfy { $0.count == feed.columns.count + 2 })
            let all = try daemon.http("/status.json?after=1").body
            let rest = try JSONDecoder().decode(Feed.self, from: Data(all.utf8))
            #expect(rest.seconds.first?.first == 2)
            for after in ["99999999999", "-1", "x", "99999999999999999999999"] {
                #expect(try daemon.http("/status.json?after=\(after)").status == 200)
            }
        }
    }

    /// Everything it needs is in it, and the browser is told to ask for nothing else.
    @Test func thePageStandsAlone() throws {
        try withDaemon("--http=-1") { daemon in
            let page = try daemon.http("/")
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            let policy = page.headers["content-security-policy"] ?? ""
            #expect(policy.hasPrefix("default-src 'none'; ") && !policy.contains("unsafe"))
            #expect(page.headers["x-content-type-options"] == "nosniff")
            #expect(page.headers["access-control-allow-origin"] == nil)
            let body = page.body
            #expect(body.hasPrefix("<!doctype html>") && body.hasSuffix("</html>\n"))
            let foreign = body.matches(of: #/(src|href|url|action)\s*[=(]\s*["']?([^"'\s>)]*)/#).map(\.2)
            let allowed = ["/metrics", "/healthz", "/status.json", "#figures", "#memory"]
            #expect(foreign.allSatisfy { allowed.contains("\($0)") || $0.hasPrefix("data:") }, "\(foreign)")
            #expect(!body.contains("https:") && !body.contains("@import") && !body.contains(" style="))
            // Each answer has a word of its own.
            let again = try daemon.http("/")
            #expect(again.headers["content-security-policy"] != policy)
        }
    }

    @Test func onlyTheLocalNameIsServedOnLoopback() throws {
        try withDaemon("--http=-1") { daemon in
            for host in ["localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:9", "[::1]:80", "10.1.2.3"] {
                let status = try daemon.http("/healthz", host: host).status
                #expect(status == 200, "\(host)")
            }
            for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "1.2.3", ""] {
                let status = try daemon.http("/metrics", host: host).status
                #expect(status == 421, "\(host)")
            }
        }
        try withDaemon("--http=0.0.0.0:-1") { daemon in
            let status = try daemon.http("/healthz", host: "cache.example").status
            #expect(status == 200)
        }
    }

    @Test func listensWhereItIsTold() throws {
        try withDaemon("--http=[::1]:-1") { daemon in
            let wire = try Wire.tcp(daemon.httpPort, host: "::1")
            try wire.send("GET /healthz HTTP/1.0\r\n\r\n")
            #expect(try HTTPAnswer(wire.rest()).status == 200)
            #expect(throws: Trouble.self) { try Wire.tcp(daemon.httpPort) }
        }
    }

    @Test func hostileRequestsHarmNobody() throws {
        try withDaemon("--http=-1") { daemon in
            let long = String(repeating: "a", count: 20_000)
            for request in [
                "GET / HTTP/1.1\r\nHost: localhost\r\nX: \(long)\r\n\r\n", "GET /\(long) HTTP/1.1\r\n\r\n",
                "BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET\r\n\r\n", "\r\n\r\n\r\n", "\0\0\0\0\r\n",
                "GET / HTTP/9.9\r\n\r\n", "get k\r\n", "GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nx",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n\(long)",
            ] {
                let wire = try Wire.tcp(daemon.httpPort)
                try? wire.send(request)
                wire.finishSending()
                let answer = String(decoding: try wire.rest(), as: UTF8.self)
                #expect(!answer.hasPrefix("HTTP/1.1 200"), "\(request.prefix(60)): \(answer.prefix(200))")
            }
            #expect(try daemon.http("/healthz").status == 200)
            try daemon.connect().ask("mn\r\n", "MN\r\n")
        }
    }

    /// Who connects and says nothing takes a place, but not all of them for ever.
    @Test func silentClientsAreLimitedAndSentAway() throws {
        try withDaemon("--http=-1") { daemon in
            // Ports are told before everything is open; who answers has all he needs.
            #expect(try daemon.http("/healthz").status == 200)
            let before = daemon.openDescriptors
            let silent = try (0..<80).map { _ in try Wire.tcp(daemon.httpPort) }
            // The first connection may have been among those that were counted.
            let most = HTTPServer.connectionsMax
            try wait(for: "the places to be taken") { daemon.openDescriptors - before >= most - 1 }
            #expect(daemon.openDescriptors - before <= most)
            // They are gone before long, and whoever waited has his turn.
            let health = try Wire.tcp(daemon.httpPort)
            try health.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            #expect(try HTTPAnswer(health.rest(upTo: 40)).status == 200)
            for wire in silent { wire.close() }
            try wait(for: "the places to be free") { daemon.openDescriptors - before <= 2 }
        }
    }

    /// Many short connections are no crowd: each is gone before the next one comes.
    @Test func shortConnectionsDoNotWaitForEachOther() throws {
        try withDaemon("--http=-1") { daemon in
            let began = Clock.now
            for _ in 0..<20 * HTTPServer.connectionsMax {
                let status = try daemon.http("/healthz").status
                #expect(status == 200)
            }
            #expect(Clock.now - began < 15)
        }
    }

    @Test func badAddressesAreRefused() {
        for text in ["0", "65536", "x", "localhost", "[::1]", "::1", "1.2.3.4:0", "1.2.3.4:x", "", "-2"] {
            #expect(throws: StartFailure.self, "\(text)") { try OptionParser.parse(["--http=\(text)"]) }
        }
        for (text, host, port) in [
            ("8080", "127.0.0.1", 8080), ("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:8080", "::1", 8080),
            ("localhost:1", "localhost", 1), ("-1", "127.0.0.1", -1), ("[::]:-1", "::", -1),
        ] {
            #expect((try? ListenList.http(text)) == ListenAddress(host: host, port: port), "\(text)")
        }
    }
}
