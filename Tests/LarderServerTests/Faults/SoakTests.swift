// Everything at once, for as long as one likes (LARDER_SOAK_SECONDS): clients that come and go, values of
// all sizes and times to live, deletes, flushes, a memory limit that moves, dumps and watchers. No wrong
// value, no growth, and when all is deleted nothing is left.
import Foundation
import Synchronization
import Testing

@Suite struct SoakTests {
    private static let seconds = Double(
        Surroundings.number("LARDER_SOAK_SECONDS", default: Surroundings.isLong ? 600 : 10))

    @Test func soak() throws {
        // The rare operator's commands of the soak are refused to no one here.
        let daemon = try Daemon(["-m", "64", "-t", "4", "-v"])
        let end = Clock.now + Self.seconds
        let clients = (0..<6).map { SoakingClient($0, daemon.port, until: end) }
        let admin = SoakingOperator(daemon.port, until: end)
        let group = DispatchGroup()
        for body in clients.map({ $0.run }) + [admin.run] {
            group.enter()
            Thread.detachNewThread {
                body()
                group.leave()
            }
        }
        var samples: [(own: Int, descriptors: Int)] = []
        while group.wait(timeout: .now() + max(0.1, Self.seconds / 100)) == .timedOut {
            samples.append((daemon.ownBytes, daemon.openDescriptors))
            if Clock.now > end + Surroundings.patience { throw Trouble("the clients don't come to an end") }
        }
        for fault in (clients.flatMap(\.faults) + admin.faults).prefix(10) { Issue.record("\(fault)") }
        let operations = clients.map(\.operations).reduce(0, +)
        let hits = clients.map(\.hits).reduce(0, +)
        let connections = clients.map(\.connections).reduce(0, +)
        #expect(operations > 1000 && hits > 100)
        // After the first third everything that grows with use has been used.
        let early = samples.prefix(samples.count / 2).map(\.own).max() ?? 0
        let late = samples.suffix(samples.count / 2).map(\.own).max() ?? 0
        print(
            "soak: \(Int(Self.seconds)) s, \(operations) operations, \(hits) hits,",
            "\(connections) connections,",
            "\(admin.flushes) flushes, \(admin.limits) limits, \(admin.dumped) lines dumped,",
            "\(admin.watched) watched;",
            "at most \(early >> 10) KiB in the first half, \(late >> 10) after,",
            "\(samples.map(\.descriptors).max() ?? 0) descriptors")
        if Surroundings.sanitizer == nil {
            // In the first half of a long run all of the memory limit has been used.
            let room = Self.seconds > 60 ? 4 << 20 : 64 << 20
            #expect(late < early + room, "it grew from \(early >> 10) to \(late >> 10) KiB")
            #expect(late < 80 << 20)
        }
        try expectConsistent(daemon)
        try daemon.stop()
    }

    /// What the daemon counts is what there is, and nothing is left once everything is flushed.
    private func expectConsistent(_ daemon: Daemon) throws {
        let wire = try daemon.connect()
        try wait(for: "all clients to be gone") { try wire.stats()["curr_connections"] == "1" }
        // Expired items are counted until they are found, and not dumped: they are searched for until the
        // two agree. Some expire meanwhile, so a single difference says nothing; one that stays is a fault.
        var (counted, dumped) = (-1, -1)
        do {
            try wait(for: "what is counted to be what there is") {
                try wire.send("lru_crawler crawl all\r\n")
                let answer = try wire.line()
                guard answer == "OK" || answer.hasPrefix("BUSY") else { throw Trouble("\(answer) to crawl") }
                counted = Int(try wire.stats()["curr_items"] ?? "") ?? -1
                try wire.send("lru_crawler metadump all\r\n")
                // The first line says OK.
                dumped = try wire.lines(through: "END").count - 2
                return counted == dumped
            }
        } catch { Issue.record("\(counted) items are counted, \(dumped) are there: \(error)") }
        print("soak: \(counted) items counted, \(dumped) alive")
        try wire.ask("flush_all\r\n", "OK\r\n")
        try wait(for: "all that was flushed to be given back") {
            let stats = try wire.stats()
            let used = try wire.stats("slabs").filter { $0.key.hasSuffix(":used_chunks") }
            return stats["curr_items"] == "0" && stats["bytes"] == "0" && used.allSatisfy { $0.value == "0" }
        }
    }
}

/// Writes, reads and deletes keys of its own, and looks at others'; comes and goes.
private final class SoakingClient: @unchecked Sendable {  // one thread until it is joined
    private let number: Int
    private let port: Int
    private let end: Double
    private var random: SeededRandom
    private var versions = [Int: (version: Int, dies: Double)]()
    private var nextVersion = 0
    private(set) var operations = 0
    private(set) var hits = 0
    private(set) var connections = 0
    private(set) var faults: [String] = []

    init(_ number: Int, _ port: Int, until end: Double) {
        self.number = number
        self.port = port
        self.end = end
        random = SeededRandom(seed: UInt64(number) &+ 4711)
    }

    @Sendable func run() {
        while Clock.now < end, faults.isEmpty {
            do {
                let wire = try Wire.tcp(port)
                connections += 1
                for _ in 0..<random.below(400) + 1 where Clock.now < end && faults.isEmpty { try step(wire) }
                if random.chance(30) { try wire.send("set half:\(number) 0 0 9000\r\nabc") }
                if random.chance(50) { wire.reset() } else { wire.close() }
            } catch { faults.append("client \(number): \(error)") }
        }
    }

    private func step(_ wire: Wire) throws {
        operations += 1
        let key = random.below(2000)
        switch random.below(100) {
        case 0..<40: try write(wire, key)
        case 40..<85: try read(wire, key)
        case 85..<93: try remove(wire, key)
        default: try look(wire, key)
        }
    }

    private func stamp(_ key: Int, _ version: Int, _ size: Int) -> [UInt8] {
        Array("\(number):\(key):\(version);".utf8)
            + [UInt8](repeating: UInt8(0x61 + version % 26), count: size)
    }

    private func write(_ wire: Wire, _ key: Int) throws {
        nextVersion += 1
        let size =
            random.chance(3)
            ? random.below(400_000)
            : random.chance(20)
                ? random.below(20_000)
                : random.below(800)
        let ttl = [0, 0, 0, 1, 2, 5, 100][random.below(7)]
        let value = stamp(key, nextVersion, size)
        let line =
            random.chance(50)
            ? "set s\(number):\(key) \(nextVersion) \(ttl) \(value.count)\r\n"
            : "ms s\(number):\(key) \(value.count) F\(nextVersion) T\(ttl)\r\n"
        let sent = Clock.now
        try wire.send(Array(line.utf8) + value + [13, 10])
        let answer = try wire.line()
        guard answer == "STORED" || answer == "HD" else {
            versions[key] = nil
            if !answer.hasPrefix("SERVER_ERROR out of memory") { faults.append("\(answer) to \(line)") }
            return
        }
        versions[key] = (nextVersion, ttl == 0 ? .infinity : Clock.now + Double(ttl) + 0.5)
        if Clock.now - sent > 10 { faults.append("\(line) took \(Clock.now - sent) s") }
    }

    private func read(_ wire: Wire, _ key: Int) throws {
        let asked = Clock.now
        try wire.send("get s\(number):\(key)\r\n")
        let line = try wire.line()
        if line == "END" { return }
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 4, words[1] == "s\(number):\(key)", let version = Int(words[2]),
            let length = Int(words[3])
        else { return faults.append("\(line) where s\(number):\(key) should be") }
        let value = try wire.bytes(length + 2)
        if try wire.line() != "END" { faults.append("no END after \(line)") }
        let unit = "\(number):\(key):\(version);".utf8.count
        if Array(value.dropLast(2)) != stamp(key, version, length - unit) { faults.append("torn: \(line)") }
        guard let known = versions[key] else { return faults.append("\(line) was deleted") }
        if known.version != version { faults.append("\(line) instead of version \(known.version)") }
        if asked > known.dies { faults.append("\(line) expired \(asked - known.dies) s ago") }
        hits += 1
    }

    private func remove(_ wire: Wire, _ key: Int) throws {
        try wire.send(random.chance(50) ? "delete s\(number):\(key)\r\n" : "md s\(number):\(key)\r\n")
        let answer = try wire.line()
        if !["DELETED", "NOT_FOUND", "HD", "NF"].contains(answer) { faults.append("\(answer) to delete") }
        versions[key] = nil
    }

    /// Many keys of another client at once.
    private func look(_ wire: Wire, _ key: Int) throws {
        let other = random.below(6)
        try wire.send("get " + (key..<key + 30).map { "s\(other):\($0)" }.joined(separator: " ") + "\r\n")
        while true {
            let line = try wire.line()
            if line == "END" { return }
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 4, let length = Int(words[3]) else { return faults.append("\(line) to get") }
            let value = try wire.bytes(length + 2)
            let begin = Array("\(words[1].dropFirst()):\(words[2]);".utf8)
            if !value.starts(with: begin) { faults.append("foreign value of \(line)") }
        }
    }
}

/// Flushes, moves the memory limit, dumps, watches, asks for every kind of stats.
private final class SoakingOperator: @unchecked Sendable {  // one thread until it is joined
    private let port: Int
    private let end: Double
    private var random = SeededRandom(seed: 99)
    private(set) var flushes = 0, limits = 0, dumped = 0, watched = 0
    private(set) var faults: [String] = []

    init(_ port: Int, until end: Double) {
        self.port = port
        self.end = end
    }

    @Sendable func run() {
        while Clock.now < end, faults.isEmpty {
            do { try step(try Wire.tcp(port)) } catch { faults.append("operator: \(error)") }
            Clock.pass(0.02)
        }
    }

    private func step(_ wire: Wire) throws {
        switch random.below(7) {
        case 0 where random.chance(10):
            try wire.ask("flush_all\r\n", "OK\r\n")
            flushes += 1
        case 1:
            try wire.send("cache_memlimit \([64, 48, 32, 60][random.below(4)])\r\n")
            let answer = try wire.line()
            if answer == "OK" { limits += 1 } else { faults.append("\(answer) to cache_memlimit") }
        case 2:
            try wire.send(random.chance(50) ? "lru_crawler metadump all\r\n" : "lru_crawler mgdump all\r\n")
            if random.chance(30) { return wire.reset() }
            var line = ""
            while line != "END" && line != "EN" && !line.hasPrefix("BUSY") {
                line = try wire.line()
                dumped += 1
            }
        case 3:
            try wire.ask("watch fetchers mutations evictions deletions connevents\r\n", "OK\r\n")
            for _ in 0..<random.below(300) {
                let line = try wire.line()
                watched += 1
                if !line.hasPrefix("ts=") && !line.hasPrefix("skipped=") { faults.append("watched: \(line)") }
            }
        default:
            for kind in ["", "items", "slabs", "settings", "conns", "sizes", "larder"] {
                if try wire.stats(kind).isEmpty { faults.append("no stats \(kind)") }
            }
            try wire.send("lru_crawler crawl all\r\nslabs reassign -1 \(1 + random.below(40))\r\n")
            _ = try wire.line()
            _ = try wire.line()
        }
    }
}
