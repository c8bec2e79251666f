// The store against a dictionary: random operations from a seed, invariants after every few hundred.
import Testing

@testable import LarderStore

@Suite struct ModelTests {
    /// Enough memory that nothing is evicted: then the store must agree with a dictionary exactly.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func agreesWithADictionary(seed: UInt64) throws {
        var random = SplitMix(seed)
        var options = StoreOptions()
        options.memoryLimit = 64 << 20
        let store = try Store(options)
        let client = store.client(0)
        var model = [[UInt8]: [UInt8]]()
        for step in 0..<8_000 {
            let key = bytes("key\(Int.random(in: 0..<700, using: &random))")
            let length = [0, 1, 30, 200, 5000, 16_300, 40_000][Int.random(in: 0..<7, using: &random)]
            let value = Self.value(length + Int.random(in: 0..<20, using: &random), &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0...2:
                #expect(client.set(key, value).status == .stored)
                model[key] = value
            case 3:
                let stored = client.set(key, value, mode: .add).status == .stored
                #expect(stored == (model[key] == nil))
                if stored { model[key] = value }
            case 4:
                let stored = client.set(key, value, mode: .replace, flags: 7).status == .stored
                #expect(stored == (model[key] != nil))
                if stored { model[key] = value }
            case 5:
                let short = Array(value.prefix(50))
                let mode: WriteMode = step % 2 == 0 ? .append : .prepend
                let outcome = client.set(key, short, mode: mode)
                if let old = model[key] {
                    #expect(outcome.status == .stored)
                    model[key] = mode == .append ? old + short : short + old
                } else {
                    #expect(outcome.status == .notStored)
                }
            case 6:
                #expect(client.delete(key) == (model.removeValue(forKey: key) != nil))
            case 7:
                let pieces = Int.random(in: 1..<9000, using: &random)
                let outcome =
                    step % 2 == 0
                    ? client.reserveAndCommit(key, value, pieces: pieces)
                    : client.reserveAndRead(key, value + value + value, pieces: pieces * 4)
                #expect(outcome?.status == .stored)
                model[key] = step % 2 == 0 ? value : value + value + value
            default:
                #expect(client.get(key) == model[key])
            }
            if step % 2000 == 0 { #expect(store.brokenInvariants() == []) }
        }
        for (key, value) in model { #expect(client.get(key) == value) }
        #expect(client.snapshot().curItems == UInt64(model.count))
        #expect(store.brokenInvariants() == [])
    }

    static func value(_ length: Int, _ random: inout SplitMix) -> [UInt8] {
        let start = random.next()
        return (0..<length).map { UInt8(truncatingIfNeeded: start &+ UInt64($0) &* 7) }
    }

    /// A small store under all sizes, with evictions, page moves, expiry and changes of the limit: what is
    /// found is right.
    @Test(arguments: [11, 12, 13] as [UInt64])
    func neverGivesAWrongValueUnderEviction(seed: UInt64) throws {
        var random = SplitMix(seed)
        var options = StoreOptions()
        options.memoryLimit = 4 << 20
        options.itemSizeMax = 600_000
        let store = try Store(options)
        let client = store.client(0)
        var version = [Int: UInt64]()
        var refused = 0
        var now: UInt32 = 10
        for step in 0..<20_000 {
            let id = Int.random(in: 0..<3000, using: &random)
            let key = bytes("k\(id)")
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<55:
                let octave = Int.random(in: 3..<(step % 5 == 0 ? 19 : 13), using: &random)
                let length = 16 + Int.random(in: 0..<(1 << octave), using: &random)
                version[id] = UInt64(step)
                let exptime = step % 3 == 0 ? Moment(now + UInt32.random(in: 1..<20, using: &random)) : .never
                if client.set(key, Self.stamped(id, UInt64(step), length), exptime: exptime).status != .stored
                {
                    refused += 1
                }
            case 55..<60:
                _ = client.delete(key)
                version[id] = nil
            case 60..<61 where step % 50 == 0:
                client.flushAll()
                version = [:]
            case 61..<62:
                now += 1
                store.setClock(Moment(now))
                store.housekeep()
            case 62..<63 where step % 20 == 0:
                _ = client.setMemoryLimit(bytes: [3, 4, 6][Int.random(in: 0..<3, using: &random)] << 20)
            default:
                if let value = client.get(key) { #expect(Self.isStamped(value, id, version[id])) }
            }
            if step % 5000 == 0 { #expect(store.brokenInvariants() == []) }
        }
        #expect(refused == 0)
        #expect(store.brokenInvariants() == [])
    }

    static func stamped(_ id: Int, _ version: UInt64, _ length: Int) -> [UInt8] {
        var value = [UInt8](repeating: UInt8(truncatingIfNeeded: id &+ Int(version)), count: max(length, 16))
        for i in 0..<8 {
            value[i] = UInt8(truncatingIfNeeded: id >> (8 * i))
            value[8 + i] = UInt8(truncatingIfNeeded: version >> UInt64(8 * i))
        }
        return value
    }
    static func isStamped(_ value: [UInt8], _ id: Int, _ version: UInt64?) -> Bool {
        guard let version else { return false }
        return value == stamped(id, version, value.count)
    }
}
