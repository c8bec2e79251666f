// Sizes that figures depend on, and the arithmetic of hot structs.
import Testing

@testable import LarderStore

@Suite struct LayoutTests {
    @Test func hotStructsKeepTheirSizes() {
        #expect(MemoryLayout<StripeState>.size + 16 <= Stripe.bytes)
        #expect(MemoryLayout<SlabClassState>.size + 64 <= SlabClass.bytes)
        #expect(MemoryLayout<PageMeta>.stride <= 64)
        #expect(Counter.allCases.count < CounterBlock.globalWords - 1)
        #expect(ClassCounter.allCases.count <= CounterBlock.classWords)
        #expect(Item.headerBytes == 16)
    }

    @Test func classTableIsAscendingAndFitsAllSizes() {
        let table = SlabClassTable()
        #expect(table.sizes.count < 120)
        #expect(zip(table.sizes, table.sizes.dropFirst()).allSatisfy { $0 < $1 })
        for bytes in 1...SlabClassTable.largestChunk {
            let id = Int(table.classOfUnits[(bytes + 7) >> 3])
            #expect(table.sizes[id] >= bytes && (id == 1 || table.sizes[id - 1] < bytes))
        }
    }

    @Test func classTableObeysTheUser() {
        let table = SlabClassTable(factor: 2, minimumSpace: 64)
        #expect(table.sizes[1] == 80)
        #expect(table.sizes[2] == 160)
        #expect(SlabClassTable(explicit: [100, 1000]).sizes == [0, 104, 1000, SlabClassTable.largestChunk])
    }

    @Test func expiryIntervalsCoverTheirSeconds() {
        for seconds in 1..<100_000 as Range<UInt32> {
            let i = Core.interval(seconds)
            #expect(Core.intervalSeconds(i) >= seconds)
            if i > 1 { #expect(Core.intervalSeconds(i - 2) < seconds) }
        }
    }

    @Test func prefetchTellsWhichItemsAreNotInTheirHomeBucket() throws {
        var options = StoreOptions()
        options.memoryLimit = 64 << 20
        let store = try Store(options)
        let client = store.client(0)
        let core = client.core
        let keys = (0..<50_000).map { bytes("key \($0)") }
        for key in keys { client.set(key, [1]) }
        var overflown = 0
        for key in keys {
            let place = client.place(key.span)
            let home = core.pointee.homeBucket(place.hash)
            let handle = core.pointee.lockAndLookUp(key, key.count, at: place)
            core.pointee.stripe(Core.stripeIndex(place.hash)).lock.unlock()
            let slot = core.pointee.slot(of: handle, hash: place.hash)
            let isHome = slot?.bucket.p == home.p || home.matches(Core.tag(place.hash)) != 0
            overflown += isHome ? 0 : 1
            #expect(client.prefetchItem(place) == isHome && client.prefetchWholeItem(place) == isHome)
            client.prefetchOverflown(place)
        }
        #expect(overflown > 0)
    }
}
