// What is said to a daemon whose memory fails, one scene for each way in, and how its answers are judged:
// right, an honest refusal, or a connection that ends. Each daemon has one worker, so that calls come in one
// order.
import Foundation
import Testing

protocol AllocationScene: AnyObject {
    /// What the daemon is started with besides what all of them are.
    var options: [String] { get }
    /// Calls to let fail besides the first from each place, and whether there are too many places for a test
    /// that has to be short.
    var more: Int { get }
    var hasManyPlaces: Bool { get }
    /// What it gathers by design.
    var blocksPerSecond: Double { get }
    /// With memory enough, before each time it is played.
    func prepare(_ daemon: Daemon) throws
    /// What was neither right nor a refusal, nil if nothing was. `strictly`: refusals are wrong, too.
    func play(_ daemon: Daemon, strictly: Bool) throws -> String?
}

extension AllocationScene {
    var options: [String] { [] }
    var more: Int { 10 }
    var hasManyPlaces: Bool { false }
    var blocksPerSecond: Double { 0 }
    func prepare(_ daemon: Daemon) throws {
        try daemon.connect().ask("set number 0 0 1\r\n1\r\n", "STORED\r\n")
    }
}

/// The scenes by name.
enum AllocationWay: String, CaseIterable, Sendable {
    case requests, datagrams, operators, passwords, encrypted, pages

    func make() throws -> any AllocationScene {
        switch self {
        case .requests: RequestScene()
        case .datagrams: DatagramScene()
        case .operators: OperatorScene()
        case .passwords: try PasswordScene()
        case .encrypted: try EncryptedScene()
        case .pages: PageScene()
        }
    }
}

/// What came back.
struct Heard {
    var text = ""
    var isOpen = false

    init(text: String, isOpen: Bool) {
        self.text = text
        self.isOpen = isOpen
    }

    /// What was answered to `ask` up to `MN`, or to the connection's end.
    init(_ wire: Wire, _ ask: String) throws {
        do { try wire.send(ask + "mn\r\n") } catch { return }
        while true {
            guard let line = try? wire.rawLine() else { return }
            if line == Array("MN\r\n".utf8) {
                isOpen = true
                return
            }
            text += String(decoding: line, as: UTF8.self)
        }
    }

    /// Nil if it is `expected` or an honest refusal.
    func fault(_ expected: String, strictly: Bool) -> String? {
        if text == expected, isOpen { return nil }
        let wrong = "\(printable(text.utf8.prefix(200))) instead of \(printable(expected.utf8.prefix(200)))"
        if strictly { return wrong }
        if !isOpen, expected.hasPrefix(text) { return nil }
        let allowed = Set(expected.split(separator: "\r\n"))
        let lines = text.split(separator: "\r\n")
        let refusals = lines.filter { $0.hasPrefix("SERVER_ERROR out of memory") }
        let isHonest = lines.allSatisfy { allowed.contains($0) || $0.hasPrefix("SERVER_ERROR out of memory") }
        // What the failed request would have changed, others then find unchanged.
        let consequences = lines.allSatisfy {
            allowed.contains($0) || ["END", "EN", "NF", "NOT_FOUND", "NOT_STORED"].contains($0)
                || Int($0) != nil
                || $0.hasPrefix("SERVER_ERROR out of memory")
        }
        return isHonest && !refusals.isEmpty || consequences ? nil : wrong
    }
}

/// Requests over TCP, whole, in pieces, and from a client that reads late.
final class RequestScene: AllocationScene {
    private static let big = 300_000

    /// Requests and their whole answers.
    private static let steps: [(ask: String, answer: String)] = {
        let value = String(repeating: "v", count: 1000)
        let long = String(repeating: "l", count: 9000)
        let many = String(repeating: "get small\r\n", count: 300)
        return [
            ("set small 0 0 1000\r\n\(value)\r\n", "STORED\r\n"),
            ("set long 0 0 9000\r\n\(long)\r\n", "STORED\r\n"),
            (many, String(repeating: "VALUE small 0 1000\r\n\(value)\r\nEND\r\n", count: 300)),
            ("append long 0 0 3\r\nend\r\n", "STORED\r\n"), ("incr number 1\r\n", "2\r\n"),
            ("decr number 1\r\n", "1\r\n"),
            ("mg small s v\r\n", "VA 1000 s1000\r\n\(value)\r\n"),
            ("ms meta 2 O123 k\r\nab\r\n", "HD O123 kmeta\r\n"), ("md meta q\r\n", ""),
            ("touch small 0\r\ndelete small\r\n", "TOUCHED\r\nDELETED\r\n"),
            ("gat 0 number\r\n", "VALUE number 0 1\r\n1\r\nEND\r\n"),
            ("version\r\nverbosity 0\r\n", "VERSION 1.6.45\r\nOK\r\n"), ("nonsense\r\n", "ERROR\r\n"),
        ]
    }()

    func prepare(_ daemon: Daemon) throws {
        let value = String(repeating: "b", count: Self.big)
        try daemon.connect().ask("set big 0 0 \(Self.big)\r\n\(value)\r\n", "STORED\r\n")
        try daemon.connect().ask("set number 0 0 1\r\n1\r\n", "STORED\r\n")
    }

    /// Each step on a connection of its own.
    func play(_ daemon: Daemon, strictly: Bool) throws -> String? {
        for step in Self.steps {
            let heard = try Heard(daemon.connect(), step.ask)
            if let fault = heard.fault(step.answer, strictly: strictly) { return fault }
        }
        return try trickle(daemon, strictly) ?? stall(daemon, strictly)
    }

    /// A long value that arrives in pieces, a short command that does, a pipeline cut by -R.
    private func trickle(_ daemon: Daemon, _ strictly: Bool) throws -> String? {
        let wire = try daemon.connect()
        let value = String(repeating: "p", count: 20_000)
        let talk = Array("set pieces 0 0 20000\r\n\(value)\r\nget pie".utf8)
        do {
            for part in stride(from: 0, to: talk.count, by: 5000) {
                try wire.send(Array(talk[part..<min(talk.count, part + 5000)]))
                usleep(500)
            }
        } catch { return strictly ? "\(error)" : nil }
        let expected = "STORED\r\nVALUE pieces 0 20000\r\n\(value)\r\nEND\r\n"
        return try Heard(wire, "ces\r\n").fault(expected, strictly: strictly)
    }

    /// A client that asks for much and reads late.
    private func stall(_ daemon: Daemon, _ strictly: Bool) throws -> String? {
        let wire = try daemon.connect(receiveBuffer: 16_384)
        do { try wire.send(String(repeating: "get big\r\n", count: 12)) } catch {
            return strictly ? "\(error)" : nil
        }
        usleep(3000)
        let value = String(repeating: "b", count: Self.big)
        let one = "VALUE big 0 \(Self.big)\r\n\(value)\r\nEND\r\n"
        return try Heard(wire, "").fault(String(repeating: one, count: 12), strictly: strictly)
    }
}

/// What operators ask for: figures, dumps, and to watch.
final class OperatorScene: AllocationScene {
    /// With what each answer ends.
    private static let asked = [
        ("stats", "END"), ("stats settings", "END"), ("stats items", "END"), ("stats slabs", "END"),
        ("stats conns", "END"), ("stats sizes", "END"), ("stats larder", "END"),
        ("stats detail on", "OK"), ("stats detail dump", "END"), ("stats detail off", "OK"),
        ("stats cachedump 1 0", "END"), ("lru_crawler metadump all", "END"), ("lru_crawler mgdump all", "EN"),
        ("lru_crawler crawl 1", "OK"), ("slabs automove 1", "OK"), ("cache_memlimit 64", "OK"),
        ("verbosity 0", "OK"),
    ]

    func prepare(_ daemon: Daemon) throws {
        let wire = try daemon.connect()
        try wire.tell((0..<500).map { "set key\($0) 0 0 1 noreply\r\nx\r\n" }.joined())
    }

    func play(_ daemon: Daemon, strictly: Bool) throws -> String? {
        for (ask, end) in Self.asked {
            let wire = try daemon.connect()
            var last = ""
            do {
                try wire.send(ask + "\r\n")
                repeat { last = try wire.line() } while
                    last != end && !last.hasPrefix("SERVER_ERROR") && !last.hasPrefix("BUSY")
                        || ask.contains("dump all") && last == "OK"
            } catch {
                if strictly { return "\(ask): \(last): \(error)" }
            }
            if strictly, last != end, !last.hasPrefix("BUSY") { return "\(ask): \(last)" }
        }
        return try watch(daemon, strictly)
    }

    private func watch(_ daemon: Daemon, _ strictly: Bool) throws -> String? {
        let watcher = try daemon.connect()
        let other = try daemon.connect()
        var step = "watch"
        do {
            try watcher.send("watch mutations fetchers\r\n")
            let answer = try watcher.line()
            guard answer == "OK" else {
                return !strictly && answer.hasPrefix("SERVER_ERROR out of memory") ? nil : answer
            }
            step = "set"
            try other.send("set w 0 0 1\r\nx\r\n")
            // What a request that failed would have shown is not waited for.
            let patience = strictly ? Surroundings.patience : 0.2
            _ = try other.line(upTo: patience)
            step = "event"
            let line = try watcher.line(upTo: patience)
            return line.hasPrefix("ts=") ? nil : "watched: \(line)"
        } catch { return strictly ? "watching, \(step): \(error)" : nil }
    }
}
