// Any bytes, cut anywhere: the session must answer, never trap, and say the same however its input is cut.
import LarderStore
import Testing

@testable import LarderProtocol

/// A small generator whose numbers follow from its seed alone.
private struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

@Suite struct FuzzTests {
    private static let words = [
        "get", "gets", "gat", "gats", "set", "add", "replace", "append", "prepend", "cas", "incr", "decr",
        "touch",
        "delete", "mg", "ms", "md", "ma", "me", "mn", "flush_all", "verbosity", "version", "stats", "watch",
        "noreply",
        "a", "b", "key", "0", "1", "2", "5", "-1", "4294967296", "18446744073709551615",
        "99999999999999999999",
        "v", "k", "q", "b", "s", "t", "c", "h", "l", "f", "x", "I", "T30", "T-1", "N30", "R30", "MA", "ME",
        "MD", "E1",
        "C1", "J5", "D2", "O12", "F7", "YQ==", "!", "\u{0}", "\t", "lru_crawler", "metadump", "all", "slabs",
    ]

    private static func line(_ dice: inout Dice) -> [UInt8] {
        var bytes = [UInt8]()
        for _ in 0..<Int.random(in: 1...6, using: &dice) {
            bytes += words.randomElement(using: &dice)!.utf8
            bytes.append(Int.random(in: 0..<20, using: &dice) == 0 ? 0x0D : 0x20)
        }
        if bytes.last == 0x20 { bytes.removeLast() }
        bytes += Bool.random(using: &dice) ? [0x0D, 0x0A] : [0x0A]
        switch Int.random(in: 0..<12, using: &dice) {
        case 0: bytes += [UInt8](repeating: 0x79, count: Int.random(in: 0..<400, using: &dice))
        case 1:
            for _ in 0..<Int.random(in: 0..<12, using: &dice) {
                bytes.append(UInt8.random(in: 0...255, using: &dice))
            }
        case 2: bytes.swapAt(0, bytes.count / 2)
        default: break
        }
        if bytes.first != 0x80, Int.random(in: 0..<3, using: &dice) == 0 { bytes += [0x31, 0x0D, 0x0A] }
        return bytes
    }

    @Test(arguments: 1...8)
    func anyBytes(seed: Int) {
        var dice = Dice(state: UInt64(seed))
        var exchange = Exchange(memory: 8 << 20)
        for round in 0..<400 {
            var bytes = [UInt8]()
            for _ in 0..<Int.random(in: 1...40, using: &dice) { bytes += Self.line(&dice) }
            exchange.startOver()
            let whole = exchange.converse([bytes[...]])
            let cut = Int.random(in: 0...bytes.count, using: &dice)
            exchange.startOver()
            let halves = exchange.converse([bytes[..<cut], bytes[cut...]])
            // Cas uniques and what stats says differ from run to run, and some commands mind what is yet
            // unsent.
            let isStable = !Self.unstable.contains { Self.contains(bytes, $0) }
            if isStable, whole.reply != halves.reply || whole.end != halves.end {
                Issue.record(
                    """
                    seed \(seed) round \(round), cut at \(cut): \(whole.end) \(halves.end)
                    \(String(decoding: bytes, as: UTF8.self).debugDescription)
                    \(String(decoding: whole.reply, as: UTF8.self).debugDescription)
                    \(String(decoding: halves.reply, as: UTF8.self).debugDescription)
                    """)
                return
            }
        }
    }

    private static let unstable = ["stats", "c", "gets", "gats", "me", "watch", "lru_crawler"]

    private static func contains(_ bytes: [UInt8], _ word: String) -> Bool {
        bytes.split { $0 <= 0x20 }.contains { $0.elementsEqual(word.utf8) }
    }

    @Test func noise() {
        var dice = Dice(state: 99)
        var exchange = Exchange(memory: 8 << 20)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 1..<200, using: &dice)).map { _ in
                UInt8.random(in: 0...255, using: &dice) & (Bool.random(using: &dice) ? 0x7F : 0x2F)
            }
            _ = exchange.converse([bytes[...]])
        }
    }
}
