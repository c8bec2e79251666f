// The store's promises about itself, checked from end to end. For tests and for suspicion, not for the
// request path: it holds each lock in turn and reads all of memory.

extension Store {
    /// Everything that doesn't hold, in words. Call while no other thread works on the store.
    public func brokenInvariants() -> [String] {
        var broken = [String]()
        var linkedInIndex = Set<Handle>()
        for s in 0..<Stripe.count { checkStripe(s, &linkedInIndex, &broken) }
        var pagesOwned = 0
        var linkedInPages = 0
        for id in 1..<core.pointee.table.sizes.count {
            let (pages, linked) = checkClass(UInt8(id), linkedInIndex, &broken)
            pagesOwned += pages
            linkedInPages += linked
            let counted = core.pointee.counters.reduce(UInt64(0)) {
                $0 &+ $1.value(.itemsLinked, slabClass: UInt8(id))
            }
            if counted != UInt64(linked) {
                broken.append("class \(id) counts \(Int64(bitPattern: counted)) items of \(linked)")
            }
        }
        if linkedInPages != linkedInIndex.count {
            broken.append("\(linkedInIndex.count) items in the index, \(linkedInPages) linked in pages")
        }
        let arena = core.pointee.arena.read { $0 }
        let index = arena.indexPages + core.pointee.overflowPool.state.pointee.pageCount
        if pagesOwned + index != arena.pagesUsed {
            broken.append("classes own \(pagesOwned) pages, the index \(index), used are \(arena.pagesUsed)")
        }
        return broken
    }

    private func checkStripe(_ s: Int, _ seen: inout Set<Handle>, _ broken: inout [String]) {
        let stripe = core.pointee.stripe(s)
        var items: UInt32 = 0
        var bytes: UInt64 = 0
        for b in 0..<Int(core.pointee.geometry(s).buckets) {
            var bucket = core.pointee.bucket(stripe: s, b)
            while true {
                for i in 0..<Bucket.slots where bucket.handle(i) != 0 {
                    let handle = bucket.handle(i)
                    let item = core.pointee.arena.item(handle)
                    let hash = core.pointee.hash(of: item)
                    if !seen.insert(handle).inserted {
                        broken.append("handle \(handle) stands twice in the index")
                    }
                    if item.shape & Item.linked == 0 {
                        broken.append("handle \(handle) in the index isn't linked")
                    }
                    if Core.stripeIndex(hash) != s || core.pointee.geometry(s).bucketIndex(hash) != b
                        || Core.tag(hash) != bucket.tag(i)
                    {
                        broken.append("handle \(handle) stands in the wrong bucket or under the wrong tag")
                    }
                    items += 1
                    bytes += UInt64(item.totalBytes(item.shape))
                }
                if bucket.overflow == 0 { break }
                bucket = Bucket(core.pointee.arena.pointer(bucket.overflow))
            }
        }
        if items != stripe.state.pointee.items {
            broken.append("stripe \(s) counts \(stripe.state.pointee.items) of \(items)")
        }
        if bytes != stripe.state.pointee.bytes {
            broken.append("stripe \(s) counts \(stripe.state.pointee.bytes) bytes of \(bytes)")
        }
    }

    /// Returns the pages and the linked items of a class.
    private func checkClass(_ id: UInt8, _ index: Set<Handle>, _ broken: inout [String]) -> (
        pages: Int, linked: Int
    ) {
        let c = core.pointee.slabClass(id)
        c.lock.lock()
        defer { c.lock.unlock() }
        let state = c.state.pointee
        guard state.pageCount > 0 else { return (0, 0) }
        var (used, probation, linked, parts) = (0, 0, 0, 0)
        var page = Int(state.mainPage)
        for _ in 0..<state.pageCount {
            let meta = core.pointee.arena.pages[page]
            if core.pointee.arena.classOfPage[page].load(ordering: .relaxed) != id {
                broken.append("page \(page) isn't of class \(id)")
            }
            if core.pointee.arena.pages[Int(meta.ringNext)].ringPrevious != UInt32(page) {
                broken.append("ring broken at page \(page)")
            }
            var free = 0
            var next = meta.freeHead
            while next != 0, free <= state.perPage {
                free += 1
                next = core.pointee.arena.item(next).exptime.rawValue
            }
            if free != Int(meta.freeCount) {
                broken.append("page \(page) counts \(meta.freeCount) free chunks of \(free)")
            }
            let hasFree = free > 0 || Int(meta.carved) < state.perPage
            if hasFree != meta.isAvailable {
                broken.append("page \(page): available \(meta.isAvailable), free \(hasFree)")
            }
            var onProbation = 0
            let partsBefore = parts
            for i in 0..<Int(meta.carved) {
                let handle = core.pointee.arena.handle(page: page, offset: i * state.chunkBytes)
                let item = core.pointee.arena.item(handle)
                guard item.shape != 0 else { continue }
                used += 1
                if item.shape & Item.linked != 0 {
                    linked += 1
                    if !index.contains(handle) { broken.append("linked handle \(handle) isn't in the index") }
                }
                if item.shape & Item.part != 0 {
                    parts += 1
                } else if item.access & Item.probation != 0 {
                    onProbation += 1
                }
            }
            if parts - partsBefore != Int(meta.parts) {
                broken.append("page \(page) counts \(meta.parts) parts of \(parts - partsBefore)")
            }
            if onProbation != Int(meta.probation) {
                broken.append("page \(page) counts \(meta.probation) on probation of \(onProbation)")
            }
            probation += onProbation
            page = Int(meta.ringNext)
        }
        if page != Int(state.mainPage) {
            broken.append("class \(id): the ring has not \(state.pageCount) pages")
        }
        if used != state.used { broken.append("class \(id) counts \(state.used) used chunks of \(used)") }
        if parts != state.parts { broken.append("class \(id) counts \(state.parts) parts of \(parts)") }
        if probation != state.probation {
            broken.append("class \(id) counts \(state.probation) on probation of \(probation)")
        }
        return (state.pageCount, linked)
    }
}
