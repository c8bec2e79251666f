// The corpus of bad input against the running daemon: after each row it still serves others, nothing stored
// is changed, and memory stays bounded.
import Foundation
import Testing

@Suite struct BadInputTests {
    private static let memoryMax = 128 << 20

    /// What must hold after each row: another client is served, the sentinels are intact, memory is bounded.
    private struct Watchman {
        let daemon: Daemon
        let sentinels = Sentinels()
        let old: Wire

        init(_ daemon: Daemon) throws {
            self.daemon = daemon
            old = try daemon.connect()
            try sentinels.store(old)
        }

        func connections() throws -> Int { Int(try old.stats()["curr_connections"] ?? "") ?? 0 }

        func fault(thorough: Bool = true) throws -> String? {
            let probe = try daemon.connect()
            try probe.ask(
                "set probe 0 0 2\r\nok\r\nget probe\r\n", "STORED\r\nVALUE probe 0 2\r\nok\r\nEND\r\n")
            try old.tell("")
            if thorough, let fault = try sentinels.fault(probe) { return fault }
            let peak = daemon.peakResidentBytes
            if Surroundings.sanitizer == nil, peak >= BadInputTests.memoryMax {
                return "memory went up to \(peak >> 20) MiB"
            }
            return nil
        }
    }

    private func withWatchman(_ options: [String] = [], _ body: (Daemon, Watchman) throws -> Void) throws {
        let daemon = try Daemon(["-m", "64", "-t", "2"] + options)
        do {
            let watchman = try Watchman(daemon)
            try body(daemon, watchman)
            if let fault = try watchman.fault() { Issue.record("at the end: \(fault)") }
            print("bad input: at most \(daemon.peakResidentBytes >> 20) MiB")
        } catch {
            Issue.record("\(error)\n\(daemon.process.errors.suffix(300))")
        }
        try daemon.stop()
    }

    private static let kinds: [(String, [BadInput])] = [
        ("lines", BadInputCorpus.lines), ("numbers", BadInputCorpus.numbers),
        ("lengths", BadInputCorpus.lengths), ("blocks", BadInputCorpus.blocks),
        ("halves", BadInputCorpus.halves), ("crumbs", BadInputCorpus.crumbs),
        ("strangers", BadInputCorpus.strangers), ("meta flags", BadInputCorpus.metaFlags),
        ("keys", BadInputCorpus.keys), ("smuggled", BadInputCorpus.smuggled),
        ("controls", BadInputCorpus.controls),
    ]

    /// All rows of the corpus to one daemon, one after the other.
    @Test func nothingInTheCorpusHarms() throws {
        try withWatchman(["-vv"]) { daemon, watchman in
            var rows = 0
            for (kind, corpus) in Self.kinds {
                let start = Clock.now
                for (number, row) in corpus.enumerated() {
                    let context = "\(kind): \(row.name): \(row.sample)"
                    do {
                        if let fault = try row.play(on: daemon) { Issue.record("\(context): \(fault)") }
                        // The sentinels are large; where thousands of rows are alike, one in four is enough.
                        let thorough = corpus.count < 500 || number % 4 == 0 || Surroundings.isLong
                        if let fault = try watchman.fault(thorough: thorough) {
                            Issue.record("\(context): \(fault)")
                            return
                        }
                    } catch { throw Trouble("\(context): \(error)") }
                    rows += 1
                }
                print("bad input: \(corpus.count) rows of \(kind) in \(Clock.now - start) s")
            }
            #expect(rows > 3000)
            let log = daemon.process.errors
            let isClean = !Self.hasControls(log.utf8.filter { $0 != 10 })
            #expect(isClean && log.contains("new tcp client"), "control characters in the log")
        }
    }

    /// What watchers are shown of it is lines of plain text.
    @Test func watchersSeeNoControlCharacters() throws {
        try withWatchman { daemon, _ in
            let watcher = try daemon.connect()
            try watcher.ask("watch rawcmds fetchers mutations deletions connevents\r\n", "OK\r\n")
            for row in BadInputCorpus.controls + BadInputCorpus.keys { _ = try row.play(on: daemon) }
            try daemon.connect().tell("mg the-last-of-them q\r\n")
            var line: [UInt8] = []
            var seen = 0
            repeat {
                line = try watcher.rawLine()
                seen += 1
                if Self.hasControls(line.dropLast()) { Issue.record("a watcher is shown \(printable(line))") }
            } while !String(decoding: line, as: UTF8.self).contains("the-last-of-them")
            #expect(seen > 100)
        }
    }

    /// Control characters, those of UTF-8 (C2 80 to C2 9F) included.
    private static func hasControls(_ text: some Sequence<UInt8>) -> Bool {
        var previous: UInt8 = 0
        for byte in text {
            if byte < 0x20 || byte == 0x7F || previous == 0xC2 && byte &- 0x80 < 0x20 { return true }
            previous = byte
        }
        return false
    }

    // MARK: quantity

    @Test func hundredThousandCommandsBeforeReading() throws {
        try withWatchman { daemon, watchman in
            let value = String(repeating: "v", count: 100)
            try watchman.old.ask("set v 0 0 100\r\n\(value)\r\n", "STORED\r\n")
            let talk = Array(
                String(repeating: "get v\r\nmg v v\r\nincr none 1\r\nmn\r\n", count: 25_000).utf8)
            let answer = Array(
                "VALUE v 0 100\r\n\(value)\r\nEND\r\nVA 100\r\n\(value)\r\nNOT_FOUND\r\nMN\r\n".utf8)
            for ending in [BadInput.Ending.close, .reset, .finish] {
                let wire = try daemon.connect(receiveBuffer: 4096)
                var sent = 0
                var idle = 0
                // What the daemon takes before it wants to be read.
                while sent < talk.count, idle < 50 {
                    let count = try wire.push(talk[sent...])
                    sent += count
                    idle = count == 0 ? idle + 1 : 0
                    if count == 0 { usleep(2000) }
                }
                if let fault = try watchman.fault() { Issue.record("not reading: \(fault)") }
                switch ending {
                case .close: wire.close()
                case .reset: wire.reset()
                case .finish:
                    try wire.send(Array(talk[sent...]), upTo: 60)
                    for _ in 0..<25_000 {
                        guard try wire.bytes(answer.count) == answer else { throw Trouble("out of step") }
                    }
                }
            }
        }
    }

    @Test func manyKeysInOneLine() throws {
        try withWatchman { daemon, watchman in
            let value = String(repeating: "v", count: 1000)
            try watchman.old.ask("set v 0 0 1000\r\n\(value)\r\n", "STORED\r\n")
            let block = Array("VALUE v 0 1000\r\n\(value)\r\n".utf8)
            for (verb, count) in [("get", 70_000), ("gets", 10_000), ("gat 0", 10_000)] {
                for ending in BadInput.Ending.allCases {
                    let wire = try daemon.connect()
                    let line = Array((verb + String(repeating: " v", count: count) + "\r\n").utf8)
                    if ending != .finish {
                        _ = try wire.push(line[...])
                        ending == .reset ? wire.reset() : wire.close()
                        continue
                    }
                    try wire.send(line)
                    for _ in 0..<count {
                        if verb != "gets" {
                            guard try wire.bytes(block.count) == block else { throw Trouble("out of step") }
                        } else {
                            let head = try wire.line()
                            guard head.hasPrefix("VALUE v 0 1000 ") else { throw Trouble(head) }
                            _ = try wire.bytes(1002)
                        }
                    }
                    try wire.expect("END\r\n")
                }
                if let fault = try watchman.fault() { Issue.record("\(verb): \(fault)") }
            }
        }
    }

    @Test func gigabytesNobodyReads() throws {
        try withWatchman { daemon, watchman in
            let size = 1_000_000
            let value = String(repeating: "g", count: size)
            for index in 0..<20 {
                try watchman.old.ask("set g\(index) 0 0 \(size)\r\n\(value)\r\n", "STORED\r\n")
            }
            let all = "get " + (0..<20).map { "g\($0)" }.joined(separator: " ") + "\r\n"
            let before = try watchman.connections()
            var wires: [Wire] = []
            for round in 0..<(Surroundings.isLong ? 300 : 40) {
                let wire = try daemon.connect(receiveBuffer: 4096)
                // 20 MB a line, 50 lines: a gigabyte for each of them.
                let meta = String(repeating: "mg g\(round % 20) v k\r\n", count: 20)
                _ = try wire.push(Array(String(repeating: round % 2 == 0 ? all : meta, count: 50).utf8)[...])
                wires.append(wire)
                if let fault = try watchman.fault(thorough: round % 10 == 0) {
                    throw Trouble("\(round) clients: \(fault)")
                }
            }
            for (index, wire) in wires.enumerated() { index % 2 == 0 ? wire.close() : wire.reset() }
            try wait(for: "them to be gone") { try watchman.connections() <= before }
        }
    }

    /// More dumps than may run at once, each left by its client: the places come free again.
    @Test func dumpsWhoseClientLeaves() throws {
        try withWatchman { daemon, watchman in
            let sets = (0..<60_000).map { "set dumped:\($0) 0 0 1 noreply\r\nx\r\n" }.joined()
            try watchman.old.tell(sets)
            for round in 0..<100 {
                let wire = try daemon.connect(receiveBuffer: 4096)
                let dump = [
                    "lru_crawler metadump all\r\n", "lru_crawler mgdump hash\r\n", "stats cachedump 1 0\r\n",
                ][round % 3]
                try wire.send(dump)
                if round % 4 < 2 { _ = try wire.bytes(2) }
                round % 2 == 0 ? wire.reset() : wire.close()
            }
            if let fault = try watchman.fault() { Issue.record("\(fault)") }
            try wait(for: "room for a dump") {
                let wire = try daemon.connect()
                try wire.send("lru_crawler mgdump all\r\n")
                let first = try wire.line()
                guard first.hasPrefix("mg ") || first == "OK" else { return false }
                var last = first
                while last != "EN" { last = try wire.line() }
                return true
            }
        }
    }
}
