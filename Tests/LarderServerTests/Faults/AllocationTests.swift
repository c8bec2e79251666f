// Memory that can't be had, call by call: whatever allocation fails, the client is told or turned away,
// nobody gets a wrong answer, the daemon lives on and nothing leaks. What Swift's runtime allocates by itself
// is left out: it ends the process by design.
import Foundation
import Testing

@Suite(.serialized) struct AllocationTests {
    private static let big = 300_000
    private static let options = ["-t", "1", "-m", "64", "-U", "0", "-o", "no_drop_privileges"]

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

    /// What was answered up to `MN`, or to the connection's end.
    private func answer(_ wire: Wire, _ ask: String) throws -> (text: String, isOpen: Bool) {
        do { try wire.send(ask + "mn\r\n") } catch { return ("", false) }
        var text = ""
        while true {
            guard let line = try? wire.rawLine() else { return (text, false) }
            if line == Array("MN\r\n".utf8) { return (text, true) }
            text += String(decoding: line, as: UTF8.self)
        }
    }

    /// Nil if the answer is right, or an honest refusal.
    private func fault(_ got: (text: String, isOpen: Bool), _ expected: String) -> String? {
        if got.text == expected, got.isOpen { return nil }
        if !got.isOpen, expected.hasPrefix(got.text) { return nil }
        let allowed = Set(expected.split(separator: "\r\n"))
        let lines = got.text.split(separator: "\r\n")
        let refusals = lines.filter { $0.hasPrefix("SERVER_ERROR out of memory") }
        let isHonest = lines.allSatisfy { allowed.contains($0) || $0.hasPrefix("SERVER_ERROR out of memory") }
        // What the failed request would have changed, others then find unchanged.
        let consequences = lines.allSatisfy {
            allowed.contains($0) || ["END", "EN", "NF", "NOT_FOUND", "NOT_STORED"].contains($0)
                || Int($0) != nil
                || $0.hasPrefix("SERVER_ERROR out of memory")
        }
        if isHonest && !refusals.isEmpty || consequences { return nil }
        return "\(printable(got.text.utf8.prefix(200))) instead of \(printable(expected.utf8.prefix(200)))"
    }

    /// The whole script, each step on a connection of its own; a fault if an answer is neither right nor a
    /// refusal.
    private func converse(_ daemon: Daemon) throws -> String? {
        for step in Self.steps {
            guard let wire = try? daemon.connect() else { continue }
            if let fault = fault(try answer(wire, step.ask), step.answer) { return fault }
        }
        return try trickle(daemon) ?? stall(daemon)
    }

    /// A long value that arrives in pieces, a short command that does, a pipeline cut by -R.
    private func trickle(_ daemon: Daemon) throws -> String? {
        let wire = try daemon.connect()
        let value = String(repeating: "p", count: 20_000)
        let talk = Array("set pieces 0 0 20000\r\n\(value)\r\nget pie".utf8)
        do {
            for part in stride(from: 0, to: talk.count, by: 5000) {
                try wire.send(Array(talk[part..<min(talk.count, part + 5000)]))
                usleep(500)
            }
        } catch { return nil }
        let expected = "STORED\r\nVALUE pieces 0 20000\r\n\(value)\r\nEND\r\n"
        return fault(try answer(wire, "ces\r\n"), expected)
    }

    /// A client that asks for much and reads late.
    private func stall(_ daemon: Daemon) throws -> String? {
        let wire = try daemon.connect(receiveBuffer: 16_384)
        do { try wire.send(String(repeating: "get big\r\n", count: 12)) } catch { return nil }
        usleep(3000)
        let value = String(repeating: "b", count: Self.big)
        let one = "VALUE big 0 \(Self.big)\r\n\(value)\r\nEND\r\n"
        return fault(try answer(wire, ""), String(repeating: one, count: 12))
    }

    private func start(_ memory: FailingMemory) throws -> Daemon {
        let daemon = try Daemon(Self.options, environment: memory.environment)
        let value = String(repeating: "b", count: Self.big)
        try daemon.connect().ask("set big 0 0 \(Self.big)\r\n\(value)\r\n", "STORED\r\n")
        try daemon.connect().ask("set number 0 0 1\r\n1\r\n", "STORED\r\n")
        return daemon
    }

    private func settled(_ daemon: Daemon, _ memory: FailingMemory) throws -> Int {
        let wire = try daemon.connect()
        try wait(for: "other connections to be gone") {
            try wire.stats()["curr_connections"].flatMap { Int($0) } ?? 99 <= 2
        }
        var last = -1
        var same = 0
        try wait(for: "memory to come to rest") {
            let now = memory.liveBlocks
            same = now == last ? same + 1 : 0
            last = now
            return same > 10
        }
        return last
    }

    /// Every allocation of the script in a daemon that has served nobody yet.
    @Test func everyAllocationOfAConversation() throws {
        if Surroundings.sanitizer != nil { return }
        let memory = try FailingMemory()
        memory.fail(0)
        var number = 1
        var sites = Set<String>()
        while true {
            let daemon = try start(memory)
            memory.fail(number)
            let fault = try converse(daemon)
            let hasFailed = memory.hasFailed
            let site = memory.site
            memory.fail(0)
            #expect(fault == nil, "allocation \(number), \(site): \(fault ?? "")")
            #expect(daemon.process.hasEnded == nil, "allocation \(number), \(site)")
            if let later = try converse(daemon) {
                Issue.record("after allocation \(number), \(site): \(later)")
            }
            try daemon.connect().ask("set number 0 0 1\r\n1\r\n", "STORED\r\n")
            try daemon.stop()
            if !hasFailed { break }
            sites.insert(site)
            number += 1
        }
        print("allocations: \(number - 1) calls at \(sites.count) places failed in turn: \(sites.sorted())")
        #expect(number > 15)
    }

    /// The same in one daemon, over and over: the blocks in use come back to where they were.
    @Test func nothingLeaksWhereAllocationsFail() throws {
        if Surroundings.sanitizer != nil { return }
        let memory = try FailingMemory()
        memory.fail(0)
        let daemon = try start(memory)
        for _ in 0..<3 { _ = try converse(daemon) }
        let before = try settled(daemon, memory)
        var failures = 0
        var most = before
        for round in 1...500 {
            memory.fail(round)
            let fault = try converse(daemon)
            let hasFailed = memory.hasFailed
            let site = memory.site
            memory.fail(0)
            #expect(fault == nil, "round \(round), \(site): \(fault ?? "")")
            let now = try settled(daemon, memory)
            if now > most + 2 {
                Issue.record("\(now - most) blocks leaked where \(site) failed")
                most = now
            }
            if !hasFailed { break }
            failures += 1
        }
        print(
            "allocations: \(failures) failures, \(before) blocks before, \(try settled(daemon, memory)) after"
        )
        #expect(failures >= 10)
        try daemon.stop()
    }

    /// At start: it runs, or it says why not and ends.
    @Test func everyAllocationOfAStart() throws {
        if Surroundings.sanitizer != nil { return }
        let memory = try FailingMemory()
        var number = 1
        while true {
            memory.fail(number)
            let folder = try TemporaryFolder()
            let user = Surroundings.runsAsRoot ? ["-u", "root"] : []
            let child = try ChildProcess(
                Surroundings.daemon, ["-p", "-1"] + user + Self.options, folder: folder,
                environment: memory.environment.merging(["MEMCACHED_PORT_FILENAME": folder.path("ports")]) {
                    $1
                })
            var port = 0
            try wait(for: "the daemon to start or to end") {
                let text = (try? String(contentsOfFile: folder.path("ports"), encoding: .utf8)) ?? ""
                if text.hasSuffix("\n") { port = Daemon.parse(text).first?.port ?? 0 }
                return port > 0 && child.errors.contains("listens on") || child.hasEnded != nil
            }
            let hasFailed = memory.hasFailed
            let site = memory.site
            memory.fail(0)
            if let ending = child.hasEnded {
                #expect(ending == .exited(71), "\(number), \(site): \(ending)")
                #expect(!child.errors.isEmpty, "\(number), \(site)")
            } else {
                try Wire.tcp(port).ask(
                    "set a 0 0 1\r\nx\r\nget a\r\n", "STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
                child.signal(SIGTERM)
                #expect(try child.waitForEnd() == .exited(0), "\(number), \(site)")
            }
            if !hasFailed { break }
            number += 1
        }
        print("allocations: \(number - 1) calls of a start failed in turn")
    }
}
