// What an operator can turn on a running store: memory limit, page moves, crawls. Every control says whether
// it took effect, so that no command answers OK for nothing.
import Glibc

/// What became of an order to move a page between classes.
public enum PageReassignment: Sendable {
    case ok
    /// Another move is under way.
    case busy
    case badClass
    /// The source class has no page it could give.
    case noSpare
    case same
    /// The page holds items that can't be moved or evicted now.
    case unsafe
}

extension StoreClient {
    /// The new bound of everything that grows with items. Shrinking frees pages step by step, by
    /// housekeeping. False: out of the range the arena was reserved for.
    public func setMemoryLimit(bytes: Int) -> Bool {
        let arena = core.pointee.arena
        let pages = bytes / SlabClassTable.pageBytes
        guard pages >= 8, pages <= arena.pagesReserved else { return false }
        arena.lock.lock()
        arena.state.pointee.pagesLimit = max(pages - arena.state.pointee.tablePages, 4)
        arena.lock.unlock()
        return true
    }

    /// Moves one page from class `source` to class `target`; -1 as source lets the store choose, 0 as target
    /// is the pool of free pages.
    public func reassignPage(from source: Int, to target: Int) -> PageReassignment {
        let ids = 0..<core.pointee.table.sizes.count
        guard ids.contains(target), source == -1 || (ids.contains(source) && source != 0) else {
            return .badClass
        }
        if source == target { return .same }
        guard core.pointee.shared.moverLock.tryLock() else { return .busy }
        defer { core.pointee.shared.moverLock.unlock() }
        guard let giver = source == -1 ? core.pointee.idlestClass() : UInt8(source) else { return .noSpare }
        if Int(giver) == target { return .same }
        let c = core.pointee.slabClass(giver)
        c.lock.lock()
        let pages = c.state.pointee.pageCount
        c.lock.unlock()
        guard pages > 1 else { return .noSpare }
        let receiver = target == 0 ? nil : UInt8(target)
        guard
            core.pointee.emptyPage(
                of: giver, held: Held(), keep: 0, now: now, counters: counters, receiver: receiver)
        else { return .unsafe }
        core.pointee.shared.note(.moved)
        return .ok
    }

    /// 0: no page moves by itself (but a class without memory still gets some), 1 and 2: the normal rule.
    public func setAutomove(_ mode: Int) {
        core.pointee.shared.automove.pointee.store(UInt32(mode), ordering: .relaxed)
    }

    /// `hot` percent of a class may be taken by new, unproven items. False: the policy's share is fixed.
    public func setProbationShare(percent: Int) -> Bool { false }

    /// Whether housekeeping looks for expired items by itself. On request it always does.
    public func setCrawler(enabled: Bool) {
        core.pointee.shared.crawlerOff.pointee.store(enabled ? 0 : 1, ordering: .relaxed)
    }

    /// The highest slab class there is; the lowest is 1.
    public var slabClassMax: Int { core.pointee.table.sizes.count - 1 }

    /// Looks through these classes (nil: all) for expired items at once. False: a crawl is under way.
    public func crawl(classes: [UInt8]?) -> Bool {
        guard
            core.pointee.shared.crawling.pointee.compareExchange(
                expected: 0, desired: 1, ordering: .acquiringAndReleasing
            ).exchanged
        else { return false }
        for id in classes ?? (1..<core.pointee.table.sizes.count).map({ UInt8($0) })
        where Int(id) < core.pointee.table.sizes.count {
            core.pointee.markDue(id, now: now)
        }
        return true
    }

    /// Whether a crawl asked for is under way.
    public var isCrawling: Bool { core.pointee.shared.crawling.pointee.load(ordering: .relaxed) != 0 }
}

/// Memory for what is no item: answers to operators, made of Swift's strings and arrays.
public enum SpareMemory {
    /// More than such an answer usually takes.
    private static let bytes = 1 << 20

    /// Whether the system gives that much now. Swift's runtime ends the process where it gets nothing, so
    /// whoever is about to build an answer asks here first. Another thread may still take it in between.
    public static var isThere: Bool {
        let block = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let block, block != MAP_FAILED else { return false }
        munmap(block, bytes)
        return true
    }
}

extension Core {
    /// Makes every page of the class due for a visit.
    func markDue(_ id: UInt8, now: Moment) {
        let c = slabClass(id)
        c.lock.lock()
        defer { c.lock.unlock() }
        let state = c.state
        guard state.pointee.pageCount > 0 else { return }
        var page = Int(state.pointee.mainPage)
        for _ in 0..<state.pointee.pageCount {
            arena.pages[page].visitAt = min(arena.pages[page].visitAt, now.rawValue)
            page = Int(arena.pages[page].ringNext)
        }
        state.pointee.visitAt = min(state.pointee.visitAt, now.rawValue)
        state.pointee.lookoutLeft = 0
        state.pointee.lookoutEarliest = now.rawValue
    }
}
