// Many clients at once on few keys in a small cache. Every value says which key and version it is, so that a
// torn, foreign or stale one shows itself; every counter says which numbers it gave out, so that a lost
// increment does.
import Foundation
import Synchronization
import Testing

@Suite(.serialized) struct RacingTests {
    private static var seconds: Double {
        Double(Surroundings.number("LARDER_RACE_SECONDS", default: Surroundings.isLong ? 60 : 4))
    }

    /// Beside one who asks for figures all the time: a single worker locks without atomic instructions.
    @Test(arguments: [4, 1])
    func nothingTornForeignStaleOrLost(threads: Int) throws {
        let megabytes = 8, connections = 8
        try withDaemon("-m", String(megabytes), "-t", String(threads), "--http=-1") { daemon in
            let ledger = Ledger(keys: 1200)
            let clients = try (0..<connections).map { RacingClient($0, try daemon.connect(), ledger) }
            let end = Clock.now + Self.seconds
            let group = DispatchGroup()
            for client in clients {
                group.enter()
                Thread.detachNewThread {
                    client.run(until: end)
                    group.leave()
                }
            }
            var largest = 0
            while group.wait(timeout: .now() + 0.05) == .timedOut {
                largest = max(largest, daemon.ownBytes)
                #expect(try daemon.http("/metrics").status == 200)
                if Clock.now > end + Surroundings.patience {
                    throw Trouble("the clients don't come to an end")
                }
            }
            for fault in clients.flatMap(\.faults).prefix(10) { Issue.record("\(fault)") }
            for fault in CounterLedger.check(clients) { Issue.record("\(fault)") }
            #expect(clients.allSatisfy { $0.operations > 0 })
            #expect(clients.map(\.hits).reduce(0, +) > 0)
            let bound = megabytes << 20 + 8 << 20 + connections << 10
            if Surroundings.sanitizer == nil {
                #expect(largest < bound, "it took \(largest >> 10) KiB of its own")
            }
            let stats = try daemon.connect().stats()
            let operations = clients.map(\.operations).reduce(0, +), hits = clients.map(\.hits).reduce(0, +)
            print(
                "racing: \(operations) operations, \(hits) hits, \(stats["evictions"] ?? "?") evictions,",
                "\(largest >> 10) KiB")
            #expect(stats["evictions"].flatMap { Int($0) } ?? 0 > 0, "the cache was meant to be full")
        }
    }
}

/// What the clients know of each other's writes. A version is announced before it is sent and confirmed after
/// its answer; what was confirmed before a flush is gone after it.
final class Ledger: Sendable {
    struct Row {
        var announced = 0
        var confirmed = 0
        /// Versions below this are known to be flushed or overwritten.
        var floor = 0
    }
    private let rows: Mutex<[Row]>
    let generations = Atomic<Int>(1)

    init(keys: Int) { rows = Mutex([Row](repeating: Row(), count: keys)) }

    subscript(key: Int) -> Row {
        get { rows.withLock { $0[key] } }
    }

    func announce(_ key: Int) -> Int {
        rows.withLock { rows in
            rows[key].announced += 1
            return rows[key].announced
        }
    }

    func confirm(_ key: Int, _ version: Int) {
        rows.withLock { $0[key].confirmed = max($0[key].confirmed, version) }
    }

    func confirmed() -> [Int] { rows.withLock { $0.map(\.confirmed) } }

    func flushed(_ confirmed: [Int]) {
        rows.withLock { rows in
            for key in rows.indices { rows[key].floor = max(rows[key].floor, confirmed[key] + 1) }
        }
    }

    var count: Int { rows.withLock { $0.count } }
}

/// One client, on its own thread and connection. It alone writes the keys whose number modulo 8 is its own.
final class RacingClient: @unchecked Sendable {
    let number: Int
    private let wire: Wire
    private let ledger: Ledger
    private var random: SeededRandom
    private(set) var operations = 0
    private(set) var hits = 0
    private(set) var faults: [String] = []
    /// Numbers that `incr`, `decr` and `cas` gave to this client.
    private(set) var increments: [Int] = []
    private(set) var decrements: [Int] = []
    private(set) var swaps: [Int] = []
    private var appended = 0

    init(_ number: Int, _ wire: Wire, _ ledger: Ledger) {
        self.number = number
        self.wire = wire
        self.ledger = ledger
        random = SeededRandom(seed: UInt64(number) &+ 77)
    }

    func run(until end: Double) {
        do {
            while Clock.now < end && faults.isEmpty {
                for _ in 0..<20 { try step() }
            }
        } catch { faults.append("client \(number): \(error)") }
    }

    private func step() throws {
        operations += 1
        switch random.below(1000) {
        case 0..<350: try write()
        case 350..<780: try read()
        case 780..<850: try increment()
        case 850..<880: try decrement()
        case 880..<930: try swap()
        case 930..<970: try append()
        case 970..<995: try delete()
        case 995: if random.chance(20) { try flush() }
        default: try readMany()
        }
    }

    // MARK: stamped values

    /// `<key>|<version>|` repeated up to the size asked for, so that any piece of it can be recognised.
    private func stamp(_ key: Int, _ version: Int, _ size: Int) -> [UInt8] {
        let unit = Array("\(key)|\(version)|".utf8)
        let length = max(1, (size + unit.count - 1) / unit.count) * unit.count
        var value = unit
        value.reserveCapacity(length)
        while value.count < length { value += value.prefix(length - value.count) }
        return value
    }

    private func write() throws {
        let key = random.below(ledger.count / 8) * 8 + number
        let version = ledger.announce(key)
        let size =
            random.chance(8)
            ? random.below(300_000) : random.chance(30) ? random.below(20_000) : random.below(900)
        let value = stamp(key, version, size)
        let verb = random.pick(["set", "set", "set", "ms"])
        let head =
            verb == "set"
            ? "set s\(key) \(key) 0 \(value.count)\r\n" : "ms s\(key) \(value.count) F\(key)\r\n"
        try wire.send(Array(head.utf8) + value + [13, 10])
        let answer = try wire.line()
        if answer == "STORED" || answer == "HD" {
            ledger.confirm(key, version)
        } else if !answer.hasPrefix("SERVER_ERROR out of memory") {
            faults.append("\(answer) to \(head)")
        }
    }

    private func read() throws {
        let key = random.below(ledger.count)
        let before = ledger[key]
        if random.chance(50) {
            try wire.send("get s\(key)\r\n")
            let line = try wire.line()
            if line == "END" { return }
            try check(key, before, line)
            let end = try wire.line()
            if end != "END" { faults.append("\(end) after s\(key)") }
        } else {
            try wire.send("mg s\(key) f v\r\n")
            let line = try wire.line()
            if line == "EN" { return }
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3, words[0] == "VA" else { return faults.append("\(line) to mg s\(key)") }
            try check(key, before, "VALUE s\(key) \(words[2].dropFirst()) \(words[1])")
        }
    }

    private func readMany() throws {
        let keys = (0..<40).map { _ in random.below(ledger.count) }
        let before = keys.map { ledger[$0] }
        try wire.send("get " + keys.map { "s\($0)" }.joined(separator: " ") + "\r\n")
        var at = 0
        while true {
            let line = try wire.line()
            if line == "END" { return }
            let name = line.split(separator: " ").dropFirst().first ?? ""
            while at < keys.count && "s\(keys[at])" != name { at += 1 }
            guard at < keys.count else { return faults.append("\(line) was not asked for") }
            try check(keys[at], before[at], line)
            at += 1
        }
    }

    /// The value that follows `line` is a whole one, of this key, and of a version that may be seen now.
    private func check(_ key: Int, _ before: Ledger.Row, _ line: String) throws {
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 4, words[1] == "s\(key)", words[2] == "\(key)", let length = Int(words[3]) else {
            return faults.append("\(line) where s\(key) should be")
        }
        let value = try wire.bytes(length + 2)
        let parts = value.prefix(40).split(separator: 0x7C)
        guard parts.count > 1, let version = Int(String(decoding: parts[1], as: UTF8.self)) else {
            return faults.append("foreign value of s\(key): \(printable(Array(value.prefix(60))))")
        }
        if Array(value.dropLast(2)) != stamp(key, version, length) || value.suffix(2) != [13, 10] {
            faults.append("torn value of s\(key), version \(version), \(length) bytes")
        }
        let after = ledger[key]
        if version < before.confirmed || version < before.floor {
            faults.append("stale s\(key): version \(version), \(before) known before")
        }
        if version > after.announced { faults.append("s\(key) from the future: \(version), \(after)") }
        hits += 1
    }

    private func delete() throws {
        let key = random.below(ledger.count)
        let verb = random.pick(["delete", "md"])
        try wire.send("\(verb) s\(key)\r\n")
        let answer = try wire.line()
        if !["DELETED", "NOT_FOUND", "HD", "NF"].contains(answer) { faults.append("\(answer) to \(verb)") }
    }

    private func flush() throws {
        let confirmed = ledger.confirmed()
        try wire.ask("flush_all\r\n", "OK\r\n")
        ledger.flushed(confirmed)
    }

    // MARK: counters: a number is given out once only

    private func freshBase() -> Int {
        ledger.generations.wrappingAdd(1, ordering: .relaxed).newValue * CounterLedger.span
    }

    private func increment() throws {
        let key = "i\(random.below(3))"
        try wire.send(random.chance(50) ? "incr \(key) 1\r\n" : "ma \(key) v\r\n")
        if let number = try counted(key) { increments.append(number) }
    }

    private func decrement() throws {
        try wire.send("decr d 1\r\n")
        if let number = try counted("d") { decrements.append(number) }
    }

    private func counted(_ key: String) throws -> Int? {
        var answer = try wire.line()
        if answer.hasPrefix("VA ") { answer = try wire.line() }
        if let number = Int(answer) { return number }
        guard answer == "NOT_FOUND" || answer == "NF" else {
            faults.append("\(answer) to incr")
            return nil
        }
        let base = String(freshBase() + (key == "d" ? CounterLedger.span / 2 : 0))
        try wire.send("add \(key) 0 0 \(base.count)\r\n\(base)\r\n")
        _ = try wire.line()
        return nil
    }

    private func swap() throws {
        try wire.send("gets c\r\n")
        let line = try wire.line()
        if line == "END" {
            let base = String(freshBase())
            try wire.send("add c 0 0 \(base.count)\r\n\(base)\r\n")
            _ = try wire.line()
            return
        }
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 5, let number = Int(try wire.line()), try wire.line() == "END" else {
            return faults.append("\(line) to gets c")
        }
        let next = String(number + 1)
        try wire.send("cas c 0 0 \(next.count) \(words[4])\r\n\(next)\r\n")
        let answer = try wire.line()
        if answer == "STORED" { swaps.append(number + 1) }
        if !["STORED", "EXISTS", "NOT_FOUND"].contains(answer) { faults.append("\(answer) to cas") }
    }

    // MARK: a list everyone appends to

    private func append() throws {
        let entry = "\(number):\(appended);"
        try wire.send("append list 0 0 \(entry.count)\r\n\(entry)\r\nget list\r\n")
        let answer = try wire.line()
        if answer == "STORED" { appended += 1 }
        let line = try wire.line()
        if line != "END" {
            guard let length = Int(line.split(separator: " ").last ?? "") else { return faults.append(line) }
            let text = String(decoding: try wire.bytes(length + 2).dropLast(2), as: UTF8.self)
            _ = try wire.line()
            checkList(text)
            if length < 6000 { return }
            try wire.send("delete list\r\n")
            _ = try wire.line()
        }
        try wire.send("add list 0 0 1\r\n;\r\n")
        _ = try wire.line()
    }

    /// Each client's entries follow one another without a gap.
    private func checkList(_ text: String) {
        var last: [Int: Int] = [:]
        for entry in text.split(separator: ";") {
            let halves = entry.split(separator: ":").compactMap { Int($0) }
            guard halves.count == 2 else { return faults.append("torn list: \(entry)") }
            if let before = last[halves[0]], halves[1] != before + 1 {
                return faults.append("lost append of client \(halves[0]): \(before), \(halves[1])")
            }
            last[halves[0]] = halves[1]
        }
    }
}

/// Looks over all numbers the counters gave out.
enum CounterLedger {
    /// Each new counter starts at a multiple of this, so that numbers of two lives of a key can't be mixed
    /// up.
    static let span = 1_000_000_000

    static func check(_ clients: [RacingClient]) -> [String] {
        check("incr", clients.flatMap(\.increments)) { $0 / span }
            + check("decr", clients.flatMap(\.decrements)) {
                $0 / span
            } + check("cas", clients.flatMap(\.swaps)) { $0 / span }
    }

    /// No number twice, and within one life of a counter none left out.
    private static func check(_ name: String, _ numbers: [Int], _ life: (Int) -> Int) -> [String] {
        var faults: [String] = []
        for (_, given) in Dictionary(grouping: numbers, by: life) {
            let sorted = given.sorted()
            for (one, next) in zip(sorted, sorted.dropFirst()) where next != one + 1 {
                faults.append(
                    next == one
                        ? "\(name) gave \(one) twice" : "\(name) lost what is between \(one) and \(next)")
            }
        }
        return Array(faults.prefix(5))
    }
}
