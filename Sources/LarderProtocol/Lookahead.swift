// Requests of one client, parsed while another's are still to be answered. A batch hides the waits for memory
// of its requests behind each other; one that comes alone waits for its bucket and then for its item. So a
// worker parses what a client sent before it answers the client before: by the time its own turn comes,
// system calls have passed, in which all that the store will touch can arrive.
import LarderStore

/// The first round of a client's next `receive`, parsed ahead.
public struct Lookahead: ~Copyable {
    /// From so many operations on a batch has more to fetch at once than the processor keeps on its way,
    /// and what came early is in the way of what is needed now.
    static let most = 8

    /// The operations, while they wait.
    var batch = FixedArray(repeating: Operation(), count: WorkerContext.batchSize)
    var count = 0
    var turn = Turn(now: .never, requests: 0)

    public init() {}

    /// Whether waiting pays.
    public var isShort: Bool { count < Self.most }
}

extension WorkerContext {
    /// Parses the first round of what a client has sent whose session is idle, and asks for the buckets it
    /// will look into. False, and nothing is parsed, of requests that are observed, or may be a password.
    public mutating func lookAhead(
        _ input: Span<UInt8>, _ standing: Session.Standing, _ ahead: inout Lookahead
    ) -> Bool {
        refreshObservers()
        guard observers == 0, standing.isAuthenticated || !options.requiresAuth else { return false }
        ahead.turn = Turn(now: store.now, requests: options.requestsPerTurn)
        swap(&batch, &ahead.batch)
        ahead.count = parse(input, &ahead.turn)
        swap(&batch, &ahead.batch)
        return true
    }

    /// Asks for the items, now that the buckets have come.
    public func prefetchItems(_ ahead: inout Lookahead) {
        prefetchItems(ahead.batch, ahead.count, store.prefetchWholeItem)
    }

    /// Asks for the items of the first `count` operations of a batch by `prefetch`; and once more for those
    /// it doesn't find in their home bucket, one in twenty or so.
    @inline(__always)
    func prefetchItems(
        _ batch: borrowing FixedArray<Operation>, _ count: Int, _ prefetch: (KeyPlace) -> Bool
    ) {
        // A bit for each, the last one's lowest.
        var overflown: UInt64 = 0
        for i in 0..<count { overflown = overflown &* 2 &+ (prefetch(batch[i].place) ? 0 : 1) }
        while overflown != 0 {
            store.prefetchOverflown(batch[count &- 1 &- overflown.trailingZeroBitCount].place)
            overflown &= overflown &- 1
        }
    }
}
