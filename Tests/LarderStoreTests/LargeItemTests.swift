// Values of all sizes and long ones above all: nothing is refused while memory can be had, and a long value
// takes no more from others than it needs.
import Testing

@testable import LarderStore

@Suite struct LargeItemTests {
    private static func store(_ mebibytes: Int, largest: Int) throws -> Store {
        try PolicyTests.store(mebibytes) { $0.itemSizeMax = largest + 1000 }
    }

    /// Ten times the memory, log-uniform from 10 bytes to `largest`.
    @Test(arguments: [8_000, 100_000, 1_000_000, 4_000_000]) func noSetIsRefused(largest: Int) throws {
        let store = try Self.store(8, largest: largest)
        let client = store.client(0)
        var random = SplitMix(UInt64(largest))
        let octaves = Int.bitWidth - 1 - (largest / 10).leadingZeroBitCount
        var refused = 0
        var sent = 0
        var n = 0
        while sent < 80 << 20 {
            let most = min(largest, 20 << Int.random(in: 0...octaves, using: &random))
            let length = Int.random(in: most / 2...most, using: &random)
            if client.set(PolicyTests.key(n), [UInt8](repeating: 1, count: length)).status != .stored {
                refused += 1
            }
            sent += length
            n += 1
        }
        #expect(refused == 0)
        #expect(store.brokenInvariants() == [])
    }

    /// Filled, read, replaced by other sizes and evicted, whole and in pieces as a socket delivers them.
    @Test func longValuesComeBackWhole() throws {
        let store = try Self.store(16, largest: 6 << 20)
        let client = store.client(0)
        var random = SplitMix(5)
        var lengths = [Int: Int]()
        for step in 0..<150 {
            let id = Int.random(in: 0..<24, using: &random)
            let octave = Int.random(in: 0...6, using: &random)
            let length = Int.random(in: 0...70_000, using: &random) + 1 << (16 + octave)
            let key = PolicyTests.key(id)
            let value = [UInt8](repeating: UInt8(truncatingIfNeeded: step), count: length)
            let outcome =
                step % 3 == 0 ? client.reserveAndRead(key, value, pieces: 300_000) : client.set(key, value)
            #expect(outcome?.status == .stored)
            #expect(client.get(key) == value)
            lengths[id] = length
            let other = Int.random(in: 0..<24, using: &random)
            if let found = client.get(PolicyTests.key(other)) { #expect(found.count == lengths[other]) }
        }
        #expect(client.snapshot().count(.evictions) > 10)
        #expect(store.brokenInvariants() == [])
    }

    /// Values up to a third of the memory, each in place of about as many bytes: none is refused, and what is
    /// left free is less than one of them; small items beside them stay where they are.
    @Test func longValuesTakeTurns() throws {
        let (mebibytes, largest) = (96, 32 << 20)
        let store = try Self.store(mebibytes, largest: largest)
        let client = store.client(0)
        let small = 20_000
        for i in 0..<small { client.set(bytes("small-\(i)"), [1]) }
        var random = SplitMix(3)
        var refused = 0
        var fills = [Double]()
        for n in 0..<90 {
            let value = [UInt8](repeating: 1, count: Int.random(in: 64 << 10...largest, using: &random))
            if client.set(PolicyTests.key(n), value).status != .stored { refused += 1 }
            let snapshot = client.snapshot()
            guard snapshot.count(.evictions) > 0 else { continue }
            fills.append(Double(snapshot.bytes) / Double(mebibytes << 20))
        }
        #expect(refused == 0)
        let mean = fills.reduce(0, +) / Double(fills.count)
        #expect(mean > 0.83, "filled to \(mean) in the mean")
        let left = (0..<small).count { client.get(bytes("small-\($0)"), counts: false) != nil }
        #expect(left == small)
        #expect(store.brokenInvariants() == [])
    }

    /// A long value is one item of its class, from when it is linked until it is gone; its parts are none.
    @Test func aLongValueIsOneItem() throws {
        let store = try Self.store(16, largest: 2 << 20)
        let client = store.client(0)
        func items() -> Int { client.snapshot().classes.reduce(0) { $0 + $1.items } }
        for id in 0..<3 { client.set(PolicyTests.key(id), [UInt8](repeating: 1, count: 500_000 * (id + 1))) }
        client.set(bytes("short"), [1])
        #expect(items() == 4)
        #expect(client.snapshot().classes.last?.items == 3)
        #expect(client.snapshot().classes.last.map { $0.itemsOnProbation <= 3 } == true)
        do {
            let key = bytes("arriving")
            var arriving = client.reserve(key.span, at: client.place(key.span), valueLength: 1_000_000)
            #expect(arriving?.append([UInt8](repeating: 1, count: 400_000).span) == 400_000)
            #expect(items() == 4)
        }
        #expect(client.delete(PolicyTests.key(1)))
        client.resetStatistics()
        #expect(items() == 3)
        #expect(UInt64(items()) == client.snapshot().curItems)
        #expect(store.brokenInvariants() == [])
    }

    /// A full store of items in three sizes, the newest of them read: a long value costs about its own
    /// length, the smallest items (worth most per byte) stay, and what was read stays.
    @Test func oneLongValueTakesWhatItNeeds() throws {
        let store = try Self.store(32, largest: 8 << 20)
        let client = store.client(0)
        let sizes = [60, 900, 7000]
        func key(_ size: Int, _ i: Int) -> [UInt8] { bytes("s\(size)-\(i)") }
        func number(of size: Int) -> Int { (11 << 20) / (size + 30) }
        func live(_ size: Int, of newest: Int = .max) -> Int {
            let all = number(of: size)
            return (max(0, all - newest)..<all).count { client.get(key(size, $0), counts: false) != nil }
        }
        for size in sizes {
            for i in 0..<number(of: size) { client.set(key(size, i), [UInt8](repeating: 1, count: size)) }
            for i in number(of: size) - 100..<number(of: size) { _ = client.get(key(size, i)) }
        }
        let before = sizes.map { live($0) }
        let bytesBefore = Int(client.snapshot().bytes)
        let length = 6 << 20
        #expect(client.set(bytes("long"), [UInt8](repeating: 2, count: length)).status == .stored)
        let lost = bytesBefore + length - Int(client.snapshot().bytes)
        #expect(lost < length * 11 / 10, "\(lost) bytes lost to a value of \(length)")
        #expect(live(60) * 100 >= before[0] * 95)
        for size in sizes { #expect(live(size, of: 100) >= 95, "\(live(size, of: 100)) of size \(size)") }
        #expect(client.get(bytes("long"))?.count == length)
        #expect(store.brokenInvariants() == [])
    }
}
