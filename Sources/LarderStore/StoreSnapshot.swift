// What the store looks like at one moment, added up for `stats`, `/metrics` and the status page.

/// Totals and per-class figures, read once and then rendered in several ways.
public struct StoreSnapshot: Sendable {
    public struct SlabClassFigures: Sendable {
        public var id = 0
        /// Bytes of one chunk, and chunks in one page.
        public var chunkSize = 0
        public var chunksPerPage = 0
        public var pages = 0
        public var usedChunks = 0
        public var freeChunks = 0
        /// Linked items, by where the policy has them: on probation (new, unproven) or in the main part.
        public var items = 0
        public var itemsOnProbation = 0
        public var bytesRequested: Int64 = 0
        /// Seconds since the last access of the item next to be evicted.
        public var ageSeconds: UInt32 = 0
        public var counters = [ClassCounter: UInt64]()
        public func count(_ c: ClassCounter) -> UInt64 { counters[c] ?? 0 }
    }

    public var counters = [Counter: UInt64]()
    public func count(_ c: Counter) -> UInt64 { counters[c] ?? 0 }
    /// Classes that own at least one page, ascending.
    public var classes = [SlabClassFigures]()
    /// Counters of all classes added up, those without a page included: a class may have lost its pages.
    public var totals = [ClassCounter: UInt64]()
    public func sum(_ c: ClassCounter) -> UInt64 { totals[c] ?? 0 }
    public var curItems: UInt64 = 0
    /// Bytes of live items, header and key included.
    public var bytes: UInt64 = 0
    public var memoryLimit = 0
    public var pageSize = 64 << 10
    public var pagesTotal = 0
    public var pagesFree = 0
    public var indexPages = 0
    public var indexBuckets: UInt64 = 0
    public var indexBytes: UInt64 = 0
    /// Page moves between classes since start, and the last one, in words an operator can follow.
    public var pagesMoved: UInt64 = 0
    public var pagesMovedForIndex: UInt64 = 0
    public var pageRescues: UInt64 = 0
    public var pageMovesBusy: UInt64 = 0
    public var lastMoveFrom = 0
    public var lastMoveTo = 0
    public var lastMoveReason = ""
    public var ghostHits: UInt64 = 0
    public var housekeeperRuns: UInt64 = 0
    public init() {}
}
