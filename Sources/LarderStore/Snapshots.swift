// Adding up what the store counts, for `stats` and everything else that shows it.
import Synchronization

extension StoreClient {
    /// All figures, read part by part: each part is exact, the whole is as of about now.
    public func snapshot() -> StoreSnapshot {
        core.pointee.bias.beginVisit()
        defer { core.pointee.bias.endVisit() }
        return addUp()
    }

    private func addUp() -> StoreSnapshot {
        var snapshot = StoreSnapshot()
        for counter in Counter.allCases {
            snapshot.counters[counter] = core.pointee.counters.reduce(0) { $0 &+ $1.value(counter) }
        }
        for i in 0..<Stripe.count {
            let stripe = core.pointee.stripe(i)
            stripe.lock.lock()
            let state = stripe.state.pointee
            let buckets = core.pointee.geometry(i).buckets
            stripe.lock.unlock()
            snapshot.curItems += UInt64(state.items)
            snapshot.bytes &+= state.bytes
            snapshot.ghostHits += UInt64(state.ghostHits)
            snapshot.indexBuckets += UInt64(buckets) + UInt64(state.overflowBuckets)
        }
        let arena = core.pointee.arena.read { $0 }
        let pool = core.pointee.overflowPool
        pool.lock.lock()
        let overflowPages = pool.state.pointee.pageCount
        pool.lock.unlock()
        snapshot.memoryLimit = (arena.pagesLimit + arena.tablePages) * SlabClassTable.pageBytes
        snapshot.pageSize = SlabClassTable.pageBytes
        snapshot.pagesTotal = arena.pagesLimit
        snapshot.pagesFree = max(0, arena.pagesLimit - arena.pagesUsed)
        snapshot.indexPages = arena.indexPages + overflowPages
        snapshot.indexBytes = UInt64(snapshot.indexPages * SlabClassTable.pageBytes)
        for id in 1..<core.pointee.table.sizes.count {
            if let figures = figures(of: UInt8(id)) { snapshot.classes.append(figures) }
        }
        for counter in ClassCounter.allCases { snapshot.totals[counter] = total(counter) }
        for counter in [
            (Counter.evictions, ClassCounter.evicted), (.evictedUnfetched, .evictedUnfetched),
            (.evictedActive, .evictedActive), (.expiredUnfetched, .expiredUnfetched),
            (.reclaimed, .reclaimed),
            (.crawlerReclaimed, .crawlerReclaimed), (.crawlerItemsChecked, .crawlerItemsChecked),
        ] {
            // Counted per class; the total includes classes that own no page any more.
            snapshot.counters[counter.0, default: 0] &+= snapshot.sum(counter.1)
        }
        snapshot.pagesMoved = core.pointee.shared.value(.moved)
        snapshot.pagesMovedForIndex = core.pointee.shared.value(.forIndex)
        snapshot.pageRescues = core.pointee.shared.value(.rescued)
        snapshot.pageMovesBusy = core.pointee.shared.value(.busy)
        snapshot.housekeeperRuns = core.pointee.shared.value(.housekeeperRuns)
        let last = core.pointee.shared.value(.last)
        snapshot.lastMoveFrom = Int(last >> 8 & 0xFF)
        snapshot.lastMoveTo = Int(last & 0xFF)
        if last != 0 {
            if last >> 16 != 0 {
                snapshot.lastMoveReason = "asked for by slabs reassign"
            } else if snapshot.lastMoveTo == Int(Arena.indexPage) {
                snapshot.lastMoveReason = "the pool of free pages ran low"
            } else {
                snapshot.lastMoveReason =
                    "one round of the source's hand was worth more, by age times chunk size"
            }
        }
        return snapshot
    }

    private func total(_ counter: ClassCounter) -> UInt64 {
        var sum: UInt64 = 0
        // Class 0 has no items: there stands what concerned no item, as a `replace` that found none.
        for id in 0..<core.pointee.table.sizes.count {
            for block in core.pointee.counters { sum &+= block.value(counter, slabClass: UInt8(id)) }
        }
        return sum
    }

    /// One class's figures; nil if it owns no page and has nothing to tell.
    private func figures(of id: UInt8) -> StoreSnapshot.SlabClassFigures? {
        let c = core.pointee.slabClass(id)
        c.lock.lock()
        let state = c.state.pointee
        c.lock.unlock()
        guard state.pageCount > 0 else { return nil }
        var figures = StoreSnapshot.SlabClassFigures()
        figures.id = Int(id)
        figures.chunkSize = state.chunkBytes
        figures.chunksPerPage = state.perPage
        figures.pages = state.pageCount
        figures.usedChunks = state.used
        figures.freeChunks = state.pageCount * state.perPage - state.used
        let now = now.rawValue
        figures.ageSeconds =
            state.lastVictimAccess != 0 && now > state.lastVictimAccess ? now - state.lastVictimAccess : 0
        for counter in ClassCounter.allCases {
            let sum = core.pointee.counters.reduce(UInt64(0)) { $0 &+ $1.value(counter, slabClass: id) }
            figures.counters[counter] = sum
        }
        figures.items = max(0, Int(truncatingIfNeeded: figures.count(.itemsLinked)))
        // A long value is on probation from its first byte on, an item when it is linked.
        figures.itemsOnProbation = min(state.probation, figures.items)
        figures.bytesRequested = Int64(bitPattern: figures.count(.bytesRequested))
        return figures
    }

    /// `stats reset`: all counters back to 0; what is stored stays.
    public func resetStatistics() {
        for block in core.pointee.counters { block.reset() }
        for move in [SharedWords.Move.moved, .forIndex, .rescued, .busy] {
            core.pointee.shared.moves[move.rawValue].store(0, ordering: .relaxed)
        }
    }
}
