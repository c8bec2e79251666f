// What an operator can turn on a running store: memory limit, page moves, crawls. Every control says whether
// it took effect, so that no command answers OK for nothing.

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
    public func setMemoryLimit(bytes: Int) -> Bool { fatalError("for the lead") }

    /// Moves one page from class `source` to class `target`; -1 as source lets the store choose, 0 as target
    /// is the pool of free pages. The move may finish later.
    public func reassignPage(from source: Int, to target: Int) -> PageReassignment {
        fatalError("for the lead")
    }

    /// 0: no page moves by themselves, 1: the normal rule, 2: at every eviction.
    public func setAutomove(_ mode: Int) { fatalError("for the lead") }

    /// `hot` percent of a class may be taken by new, unproven items. False: this policy has no such share.
    public func setProbationShare(percent: Int) -> Bool { fatalError("for the lead") }

    /// Whether housekeeping looks for expired items by itself and on request.
    public func setCrawler(enabled: Bool) { fatalError("for the lead") }

    /// Asks housekeeping to look through these classes (nil: all) for expired items now. False: a crawl is
    /// under way.
    public func crawl(classes: [UInt8]?) -> Bool { fatalError("for the lead") }

    /// Whether a crawl asked for is under way.
    public var isCrawling: Bool { fatalError("for the lead") }

    /// The crawler's pace: a pause after each step, and at most so many items per class and crawl (0: all).
    public func setCrawlerPace(pauseMicroseconds: Int, itemsPerClass: Int) { fatalError("for the lead") }
}
