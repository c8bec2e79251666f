// Keys chosen so that they all meet in one place of the index: possible for who knows the hash's secret,
// and useless against a daemon, which draws its own at each start.
import Foundation
import Testing

@testable import LarderStore

/// Keys of 16 bytes that all have the same 64-bit hash under one secret. They are made, not searched for:
/// with the secret known, the last eight bytes can be calculated from the first.
private enum ChosenKeys {
    static let secret: UInt64 = 0

    static func make(_ count: Int) -> [[UInt8]] {
        let first = secret | 1
        let second = fold(secret ^ 0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93) | 1
        let seed = first ^ (16 &* 0xA076_1D64_78BD_642F)
        // Both factors fold to this; any number would do.
        let target: UInt64 = 0x1234_5678_9ABC_DEF1
        var keys: [[UInt8]] = []
        var factor: UInt64 = 1
        while keys.count < count {
            for other in partners(of: factor, target) { keys.append(key(factor ^ second, other ^ seed)) }
            factor += 2
        }
        return Array(keys.prefix(count))
    }

    /// Numbers whose 128-bit product with the odd `factor` folds to `target`: each possible upper half is
    /// tried, about one of them fits.
    private static func partners(of factor: UInt64, _ target: UInt64) -> [UInt64] {
        var inverse = factor
        for _ in 0..<5 { inverse = inverse &* (2 &- factor &* inverse) }
        var found: [UInt64] = []
        for upper in 0..<factor {
            let other = (target ^ upper) &* inverse
            if factor.multipliedFullWidth(by: other).high == upper { found.append(other) }
        }
        return found
    }

    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    private static func key(_ a: UInt64, _ b: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: a >> ($0 * 8)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: b >> ($0 * 8)) }
    }
}

private func randomKeys(_ count: Int, seed: UInt64) -> [[UInt8]] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) } }
}

@Suite struct FloodingTests {
    private func hashes(_ keys: [[UInt8]], secret: UInt64) -> Set<UInt64> {
        let hash = KeyHash(secret: secret)
        return Set(keys.map { key in key.withUnsafeBytes { hash($0.baseAddress!, $0.count) } })
    }

    @Test func keysThatMeetUnderOneSecretSpreadUnderAnother() {
        let keys = ChosenKeys.make(500)
        #expect(Set(keys).count == keys.count)
        #expect(hashes(keys, secret: ChosenKeys.secret).count == 1, "the keys are not what they should be")
        var random = SeededRandom(seed: 7)
        for _ in 0..<20 {
            let spread = hashes(keys, secret: random.next())
            #expect(spread.count == keys.count)
            // The bits that choose stripe and bucket: as many values as chance gives, about 470 of 4096.
            #expect(Set(spread.map { $0 & 0xFFF }).count > 420)
            #expect(Set(spread.map { $0 >> 52 }).count > 420)
        }
    }

    @Test func secretsAreDrawn() {
        #expect(Set((0..<100).map { _ in KeyHash.drawSecret() }).count == 100)
    }

    /// Against the daemon, by way of base64 keys.
    @Test func chosenKeysAreAsFastAsOthers() throws {
        let count = 3000
        let daemon = try Daemon(["-t", "1"])
        let wire = try daemon.connect()
        func seconds(_ keys: [[UInt8]]) throws -> Double {
            let names = keys.map { Data($0).base64EncodedString() }
            let stores = names.map { "ms \($0) 1 b q\r\nx\r\n" }.joined()
            let reads = Array(names.map { "mg \($0) b s\r\n" }.joined().utf8)
            try wire.tell(stores)
            var best = Double.infinity
            for _ in 0..<3 {
                let start = Clock.now
                try wire.send(reads)
                let answer = try wire.bytes(count * "HD s1\r\n".utf8.count)
                best = min(best, Clock.now - start)
                #expect(answer.starts(with: "HD s1\r\n".utf8) && answer.count == count * 7)
            }
            return best
        }
        let usual = try seconds(randomKeys(count, seed: 1))
        let chosen = try seconds(ChosenKeys.make(count))
        // If all of them stood in one bucket, each would be compared with thousands.
        #expect(chosen < 4 * usual + 0.01, "\(chosen) s for chosen keys, \(usual) s for any")
        try daemon.stop()
    }
}
