// What the eviction policy, the page balance and expiry promise.
import Testing

@testable import LarderStore

@Suite struct PolicyTests {
    static func store(_ mebibytes: Int, _ change: (inout StoreOptions) -> Void = { _ in }) throws -> Store {
        var options = StoreOptions()
        options.memoryLimit = mebibytes << 20
        change(&options)
        return try Store(options)
    }
    static func key(_ i: Int) -> [UInt8] { bytes("key-\(i)") }

    /// The promise of an LRU: what is read lives on, however much unread data passes.
    @Test func aKeyReadOncePerRoundOutlivesAHundredRounds() throws {
        let store = try Self.store(2)
        let client = store.client(0)
        let value = [UInt8](repeating: 1, count: 1000)
        client.set(bytes("kept"), value)
        _ = client.get(bytes("kept"))
        var n = 0
        for round in 0..<100 {
            for _ in 0..<2200 {
                client.set(Self.key(n), value)
                n += 1
            }
            try #require(client.get(bytes("kept")) != nil, "lost in round \(round)")
        }
    }

    @Test func unreadKeysLeaveInAboutTheOrderTheyCame() throws {
        let store = try Self.store(4)
        let client = store.client(0)
        let value = [UInt8](repeating: 1, count: 300)
        for i in 0..<30_000 { client.set(Self.key(i), value) }
        let live = (0..<30_000).filter { client.get(Self.key($0), counts: false) != nil }
        let newest = live.filter { $0 >= 30_000 - live.count }
        #expect(Double(newest.count) > 0.95 * Double(live.count))
    }

    /// A key that comes back soon after it was evicted unread has proven itself: its ghost lets it skip
    /// probation.
    @Test func aGhostSkipsProbation() throws {
        let store = try Self.store(2)
        let client = store.client(0)
        let value = [UInt8](repeating: 1, count: 1000)
        for i in 0..<3000 { client.set(Self.key(i), value) }
        let gone = (0..<3000).last { client.get(Self.key($0), counts: false) == nil }!
        client.set(Self.key(gone), value)
        #expect(client.snapshot().ghostHits > 0)
        for i in 3000..<4000 { client.set(Self.key(i), value) }
        #expect(client.get(Self.key(gone)) != nil)
    }

    /// Memory follows the traffic: after the sizes have changed, the new size gets the pages of the old.
    @Test func pagesMoveToTheSizeThatIsUsed() throws {
        let store = try Self.store(8)
        let client = store.client(0)
        for i in 0..<60_000 { client.set(Self.key(i), [UInt8](repeating: 1, count: 100)) }
        // Pages are given as fast as the new size evicts: after two thirds of this it has all it needs.
        for i in 0..<120_000 {
            let key = Self.key(100_000 + i % 4000)
            if client.get(key) == nil { client.set(key, [UInt8](repeating: 2, count: 1500)) }
        }
        let live = (0..<4000).filter { client.get(Self.key(100_000 + $0), counts: false) != nil }
        #expect(live.count > 3900)
        #expect(client.snapshot().pagesMoved > 40)
        #expect(store.brokenInvariants() == [])
    }

    @Test func expiredMemoryComesBackBeforeALiveItemGoes() throws {
        let store = try Self.store(4)
        store.setClock(Moment(100))
        let client = store.client(0)
        let value = [UInt8](repeating: 1, count: 500)
        for i in 0..<3000 { client.set(Self.key(i), value) }
        for i in 3000..<6000 { client.set(Self.key(i), value, exptime: Moment(110)) }
        let before = client.snapshot().count(.evictions)
        store.setClock(Moment(113))
        for i in 6000..<9000 { client.set(Self.key(i), value) }
        #expect(client.snapshot().count(.evictions) == before)
        for i in 0..<3000 { #expect(client.get(Self.key(i)) != nil) }
    }

    @Test func housekeepingReclaimsWhatNobodyAsksFor() throws {
        let store = try Self.store(4)
        store.setClock(Moment(100))
        let client = store.client(0)
        for i in 0..<3000 {
            client.set(Self.key(i), [UInt8](repeating: 1, count: 500), exptime: Moment(101 + UInt32(i) % 50))
        }
        store.setClock(Moment(170))
        for _ in 0..<50 { store.housekeep() }
        #expect(client.snapshot().curItems == 0)
        #expect(client.snapshot().pagesFree > 55)
        #expect(store.brokenInvariants() == [])
    }

    @Test func flushIsExactAndItsMarkIsLifted() throws {
        let store = try Self.store(4)
        let client = store.client(0)
        for i in 0..<3000 { client.set(Self.key(i), bytes("old")) }
        client.flushAll()
        client.set(Self.key(7), bytes("new"))
        for i in 0..<3000 { #expect(client.get(Self.key(i)) == (i == 7 ? bytes("new") : nil)) }
        for _ in 0..<10 { store.housekeep() }
        #expect(client.snapshot().curItems == 1)
        #expect(client.get(Self.key(7)) == bytes("new"))
        #expect((0..<Stripe.count).allSatisfy { !store.core.pointee.stripe($0).state.pointee.hasFlush })
    }

    @Test func aScheduledFlushHappensWithTheClock() throws {
        let store = try Self.store(4)
        let client = store.client(0)
        store.setClock(Moment(50))
        client.set(Self.key(1), bytes("a"))
        client.scheduleFlush(at: Moment(60))
        store.setClock(Moment(59))
        #expect(client.get(Self.key(1)) != nil)
        store.setClock(Moment(60))
        #expect(client.get(Self.key(1)) == nil)
    }

    @Test func theLastAccessIsToldAfterYearsToo() throws {
        let store = try Self.store(4)
        let client = store.client(0)
        for start: UInt32 in [100, 1 << 26, 3 << 26 + 7, .max - 100] {
            store.setClock(Moment(start))
            client.set(Self.key(1), bytes("a"))
            let key = Self.key(1)
            switch client.find(key.span, at: client.place(key.span), now: client.now) {
            case .miss: Issue.record("gone")
            case .hit(let item):
                #expect(item.lastAccess(now: Moment(start + 50)) == Moment(start))
                // A caller whose clock is still the second before.
                #expect(item.lastAccess(now: Moment(start - 1)) == Moment(start - 1))
            }
        }
    }

    @Test func maxItemsIsExact() throws {
        let store = try Self.store(8) { $0.maxItems = 100 }
        let client = store.client(0)
        for i in 0..<1000 {
            client.set(Self.key(i), [UInt8](repeating: 1, count: 10 + i % 700))
            #expect(client.snapshot().curItems == UInt64(min(i + 1, 100)))
            #expect(client.get(Self.key(i)) != nil)
        }
    }

    @Test func withoutEvictionsAFullStoreRefuses() throws {
        let store = try Self.store(2) { $0.evicts = false }
        let client = store.client(0)
        let value = [UInt8](repeating: 1, count: 1000)
        var stored = 0
        while client.set(Self.key(stored), value).status == .stored { stored += 1 }
        #expect(stored > 1500)
        for i in 0..<stored { #expect(client.get(Self.key(i)) != nil) }
    }

    @Test func theLimitCanBeLoweredWhileLoaded() throws {
        let store = try Self.store(16)
        let client = store.client(0)
        let value = [UInt8](repeating: 1, count: 1000)
        for i in 0..<20_000 { client.set(Self.key(i), value) }
        #expect(client.setMemoryLimit(bytes: 4 << 20))
        for _ in 0..<20 { store.housekeep() }
        let used = store.core.pointee.arena.read { $0.pagesUsed }
        #expect(used <= 64)
        for i in 0..<5_000 { #expect(client.set(Self.key(i), value).status == .stored) }
        #expect(store.brokenInvariants() == [])
    }

    @Test func aSetThatFindsNoClassOfItsOwnTakesAPage() throws {
        let store = try Self.store(2)
        let client = store.client(0)
        for i in 0..<4000 { client.set(Self.key(i), [UInt8](repeating: 1, count: 1000)) }
        for size in stride(from: 1, to: 60_000, by: 1777) {
            #expect(client.set(bytes("s\(size)"), [UInt8](repeating: 2, count: size)).status == .stored)
        }
    }

    @Test func balanceMovesOnlyWhereItStaysWorthIt() {
        func c(_ id: UInt8, pages: Int, chunk: Int, age: UInt64, evicting: Bool = true) -> ClassPressure {
            ClassPressure(id: id, pages: pages, chunkBytes: chunk, age: age, isEvicting: evicting)
        }
        func decide(_ list: [ClassPressure]) -> PageBalance.Move? {
            list.withUnsafeBufferPointer { PageBalance.decide($0) }
        }
        #expect(
            decide([c(1, pages: 10, chunk: 100, age: 5000), c(2, pages: 10, chunk: 100, age: 1000)])
                == .init(from: 1, to: 2))
        #expect(
            decide([c(1, pages: 10, chunk: 100, age: 1100), c(2, pages: 10, chunk: 100, age: 1000)]) == nil)
        // The last page stays, and who doesn't evict gets nothing.
        #expect(
            decide([c(1, pages: 1, chunk: 100, age: 5000), c(2, pages: 10, chunk: 100, age: 1000)]) == nil)
        #expect(
            decide([
                c(1, pages: 10, chunk: 100, age: 5000), c(2, pages: 10, chunk: 100, age: 10, evicting: false),
            ]) == nil)
        // Two pages, twice the age: the move would only turn the tables.
        #expect(
            decide([c(1, pages: 2, chunk: 100, age: 2000), c(2, pages: 1, chunk: 100, age: 1000)]) == nil)
    }

    /// The index wants pages when large items hold them all; with few pages in all it may get none.
    @Test(arguments: [4, 8, 16, 24, 64]) func smallItemsAfterLargeOnesAreStored(pages: Int) throws {
        var options = StoreOptions()
        options.memoryLimit = pages << 16
        options.clients = 1
        let store = try Store(options)
        let client = store.client(0)
        let value = [UInt8](repeating: 1, count: 4000)
        var refused = 0
        for i in 0..<pages * 40 where client.set(bytes("b\(i)"), value).status != .stored { refused += 1 }
        for i in 0..<pages * 2500 where client.set(Self.key(i), bytes("v")).status != .stored { refused += 1 }
        #expect(refused == 0)
        #expect(store.brokenInvariants() == [])
    }
}
