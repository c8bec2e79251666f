// The same bytes to memcached and to Larder: the answers must be the same, byte for byte, but for the
// differences that `OracleDifference` lists and explains.
import Foundation
import Testing

@Suite struct OracleTests {
    /// Commands per run: `LARDER_ORACLE_COMMANDS`, or a few thousand.
    private static let commands = Surroundings.number(
        "LARDER_ORACLE_COMMANDS", default: Surroundings.isLong ? 200_000 : 6000)
    private static let seed = UInt64(Surroundings.number("LARDER_SEED", default: 20_260_722))

    /// How a round is sent. Marked: every answer can be told from the next. Streamed: nothing but the
    /// commands. Interactive: one at a time, so that cas uniques can be sent back.
    enum Manner: CaseIterable { case marked, streamed, interactive }

    @Test(arguments: Manner.allCases) func sameBytesSameAnswers(_ manner: Manner) throws {
        let oracle = try Daemon(["-U", "0"], kind: .oracle)
        let larder = try Daemon()
        var run = OracleRun(oracle: oracle, larder: larder, manner: manner)
        let perRound = 40
        let rounds = Self.commands / 3 / perRound
        for round in 0..<rounds where run.differences < 8 {
            let seed = Self.seed &+ UInt64(round) &* 3 &+ UInt64(Manner.allCases.firstIndex(of: manner)!)
            try run.round(seed: seed, commands: perRound)
        }
        #expect(run.differences == 0)
        try larder.stop()
        oracle.process.signal(SIGTERM)
    }

    /// Each row of the table of differences on its own, so that the table can't rot.
    @Test(arguments: OracleDifference.examples) func listedDifference(_ example: OracleDifference.Example)
        throws
    {
        let larder = try Daemon()
        let wire = try larder.connect()
        try wire.tell(example.before)
        try wire.send(example.sent)
        wire.finishSending()
        let said = String(decoding: try wire.rest(), as: UTF8.self)
        #expect(said == example.larder, "\(example.name): \(printable(Array(example.sent.utf8.prefix(80))))")
        try larder.stop()
    }
}

/// Two daemons side by side, and how often they differed.
struct OracleRun {
    let oracle: Daemon
    let larder: Daemon
    let manner: OracleTests.Manner
    private(set) var differences = 0

    init(oracle: Daemon, larder: Daemon, manner: OracleTests.Manner) {
        self.oracle = oracle
        self.larder = larder
        self.manner = manner
    }

    mutating func round(seed: UInt64, commands count: Int) throws {
        var generator = OracleGenerator(seed: seed, modern: Surroundings.oracleIsModern)
        generator.mayUseCas = manner == .interactive
        var commands: [OracleCommand] = []
        while commands.count < count {
            let command = generator.command()
            if OracleUndetermined.covers(command) { continue }
            if manner == .streamed && OracleDifference.of(command) != nil { continue }
            commands.append(command)
        }
        let pair = try freshPair()
        switch manner {
        case .marked: try marked(commands, pair.oracle, pair.larder, seed, &generator.random)
        case .streamed: try streamed(commands, pair.oracle, pair.larder, seed, &generator.random)
        case .interactive: try interactive(commands, pair.oracle, pair.larder, seed)
        }
    }

    /// A connection to each daemon, and none of the keys in either.
    private func freshPair() throws -> (oracle: Wire, larder: Wire) {
        let keys = OracleGenerator.textKeys + OracleGenerator.numberKeys
        let wipe =
            keys.map { "delete \($0) noreply\r\n" }.joined()
            + OracleGenerator.encodedKeys.map { "md \($0) b\r\n" }.joined() + "mn\r\n"
        let pair = (oracle: try oracle.connect(), larder: try larder.connect())
        for wire in [pair.oracle, pair.larder] {
            try wire.send(wipe)
            _ = try wire.lines(through: "MN")
        }
        return pair
    }

    /// What is sent for a command: itself, and after one that daemons take differently, its keys' removal.
    private func unit(_ command: OracleCommand, cas: String = "1") -> [UInt8] {
        var bytes = command.bytes(cas: cas)
        if OracleDifference.of(command) != nil {
            for key in command.keys { bytes += Array("delete \(key) noreply\r\n".utf8) }
            let encoded = command.isMeta && command.words.dropFirst(2).contains("b")
            for key in command.keys where encoded { bytes += Array("md \(key) b\r\n".utf8) }
        }
        return bytes
    }

    private mutating func marked(
        _ commands: [OracleCommand], _ oracle: Wire, _ larder: Wire, _ seed: UInt64,
        _ random: inout SeededRandom
    ) throws {
        let bytes = commands.flatMap { unit($0) + Array("mn\r\n".utf8) }
        let packets = cut(bytes, &random)
        var normalisers = (ReplyNormaliser(), ReplyNormaliser())
        let expected = ReplyNormaliser.split(try deliver(packets, oracle))
        let got = ReplyNormaliser.split(try deliver(packets, larder))
        for (index, command) in commands.enumerated() {
            let want = normalisers.0.text(index < expected.count ? expected[index] : [], of: command)
            let have = normalisers.1.text(index < got.count ? got[index] : [], of: command)
            compare(command, want, have, seed, Array(commands[..<index]))
            // A state that differs makes everything after it differ too.
            if got.count <= index || have != want && OracleDifference.of(command) == nil { return }
        }
        if got.count != expected.count {
            differences += 1
            Issue.record("seed \(seed): \(got.count) answers, the oracle gave \(expected.count)")
        }
    }

    private mutating func streamed(
        _ commands: [OracleCommand], _ oracle: Wire, _ larder: Wire, _ seed: UInt64,
        _ random: inout SeededRandom
    ) throws {
        let packets = cut(commands.flatMap { unit($0) }, &random)
        var normalisers = (ReplyNormaliser(), ReplyNormaliser())
        let expected = normalisers.0.text(try deliver(packets, oracle))
        let got = normalisers.1.text(try deliver(packets, larder))
        if got != expected {
            // The same again with marks between, to tell which command it was.
            let pair = try freshPair()
            try marked(commands, pair.oracle, pair.larder, seed, &random)
            differences += 1
            let at =
                zip(got, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
                ?? min(got.count, expected.count)
            let from = max(0, at - 60)
            Issue.record(
                """
                seed \(seed), streamed, at byte \(at) of \(expected.count):
                oracle \(printable(Array(expected[from ..< min(expected.count, at + 60)])))
                larder \(printable(Array(got[from ..< min(got.count, at + 60)])))
                """)
        }
    }

    private mutating func interactive(
        _ commands: [OracleCommand], _ oracle: Wire, _ larder: Wire, _ seed: UInt64
    ) throws {
        var normalisers = (ReplyNormaliser(), ReplyNormaliser())
        for (index, command) in commands.enumerated() {
            let key = command.words.dropFirst().first ?? ""
            let want = try exchange(command, normalisers.0.casOfKey[key] ?? "1", oracle, &normalisers.0)
            let have = try exchange(command, normalisers.1.casOfKey[key] ?? "1", larder, &normalisers.1)
            compare(command, want, have, seed, Array(commands[..<index]))
            if have != want && OracleDifference.of(command) == nil { return }
        }
    }

    private func exchange(
        _ command: OracleCommand, _ cas: String, _ wire: Wire, _ normaliser: inout ReplyNormaliser
    ) throws -> [UInt8] {
        // A cas the daemon has just told about this key is what a client would send.
        try wire.send(unit(command, cas: cas) + Array("mn\r\n".utf8))
        var reply: [UInt8] = []
        while true {
            let line: [UInt8]
            do { line = try wire.rawLine() } catch {
                throw Trouble(
                    "\(error) from port \(wire.peerPort) after \(printable(command.bytes(cas: cas)))"
                )
            }
            if line == Array("MN\r\n".utf8) { break }
            reply += line
            let words = String(decoding: line, as: UTF8.self).split(whereSeparator: { $0.isWhitespace })
            let at =
                words.first == "VALUE" && words.count >= 4
                ? 3 : words.first == "VA" && words.count >= 2 ? 1 : 0
            if at > 0, let length = Int(words[at]) { reply += try wire.bytes(length + 2) }
        }
        return normaliser.text(reply, of: command)
    }

    // MARK: comparing

    private mutating func compare(
        _ command: OracleCommand, _ expected: [UInt8], _ got: [UInt8], _ seed: UInt64,
        _ before: [OracleCommand]
    ) {
        var wanted = expected
        if let difference = OracleDifference.of(command) {
            guard let answer = difference.answer(command, oracle: expected) else { return }
            wanted = answer
        }
        if got == wanted { return }
        differences += 1
        let from = max(0, zip(got, wanted).prefix { $0 == $1 }.count - 40)
        let last = before.count - 2
        let related = before.enumerated().filter { index, other in
            index >= last || command.keys.contains { key in other.words.contains(key) }
                || other.verb == "flush_all"
        }.suffix(command.keys.count > 1 ? 30 : 6).map {
            "  " + printable(Array($0.element.bytes(cas: "@").suffix(100)))
        }
        Issue.record(
            """
            seed \(seed), \(manner): \(printable(Array(command.bytes(cas: "@").prefix(700))))
            oracle \(printable(expected.dropFirst(from).prefix(300)))
            wanted \(printable(wanted.dropFirst(from).prefix(300)))
            larder \(printable(got.dropFirst(from).prefix(300)))
            before:
            \(related.joined(separator: "\n"))
            """)
    }

    // MARK: sending

    /// Cut at random places: in a few large packets, in many small ones, or byte by byte.
    private func cut(_ bytes: [UInt8], _ random: inout SeededRandom) -> [[UInt8]] {
        let largest = random.pick([1 << 20, 3000, 200, 20])
        var packets: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let size = min(rest.count, 1 + random.below(largest))
            packets.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return packets
    }

    private func deliver(_ packets: [[UInt8]], _ wire: Wire) throws -> [UInt8] {
        for packet in packets { try wire.send(packet) }
        wire.finishSending()
        return try wire.rest()
    }
}
