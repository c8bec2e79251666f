// Going through all items in steps: dumps, `stats cachedump`, `stats sizes`. One stripe's lock at a time, a
// few buckets at a time, so that nobody waits long.
import Glibc

/// Where a walk over all items stands. An item that lives through the walk is seen; if the index grows
/// meanwhile it may be seen twice.
public struct StoreCursor: Sendable {
    /// Only items of these classes; nil: all.
    public var classes: [UInt8]? = nil
    public internal(set) var isDone = false
    var stripe = 0
    var bucket = 0
    /// Slots of the bucket's chain that were shown already.
    var slot = 0
    public init() {}
}

/// An item as a walk shows it. Valid during the visitor's call only.
@safe
public struct ItemView: ~Copyable {
    let core: UnsafeMutablePointer<Core>
    let item: Item
    let shape: UInt32
    let stripe: Int
    public let slabClass: UInt8

    public var clientFlags: UInt32 { item.clientFlags(shape) }
    public var valueLength: Int { item.valueLength(shape) }
    public var keyLength: Int { Item.keyLength(shape) }
    public var cas: UInt64 { core.pointee.cas(of: item, shape, stripe) }
    public var exptime: Moment { item.exptime }
    public var lastAccess: Moment {
        item.lastAccess(now: Moment(core.pointee.shared.clock.pointee.load(ordering: .relaxed)))
    }
    public var isFetched: Bool { item.access & Item.fetched != 0 }
    public var totalSize: Int { item.totalBytes(shape) }
    /// The key in place: the visitor runs under a lock, where nothing should be allocated.
    public func withKey<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        let bytes = UnsafeBufferPointer(
            start: (item.p + Item.keyOffset(shape)).assumingMemoryBound(to: UInt8.self),
            count: Item.keyLength(shape))
        return body(Span(_unsafeElements: bytes))
    }
    public var key: [UInt8] {
        Array(UnsafeRawBufferPointer(start: item.p + Item.keyOffset(shape), count: Item.keyLength(shape)))
    }
}

extension StoreClient {
    /// Shows live items from the cursor on to the visitor, until about `limit` were looked at or the visitor
    /// answers false (then the walk stops before that item). The visitor runs under the stripe's lock: it
    /// must not call the store.
    public func walk(
        _ cursor: inout StoreCursor, limit: Int, now: Moment, _ visit: (borrowing ItemView) -> Bool
    ) {
        let wanted = cursor.classes.map { list in
            var set = InlineArray<256, Bool>(repeating: false)
            for id in list { set[Int(id)] = true }
            return set
        }
        var left = limit
        while left > 0, cursor.stripe < Stripe.count {
            let stripe = core.pointee.stripe(cursor.stripe)
            stripe.lock.lock()
            defer { stripe.lock.unlock() }
            // At most this many buckets under one lock.
            var buckets = 64
            while left > 0, buckets > 0, cursor.bucket < Int(core.pointee.geometry(cursor.stripe).buckets) {
                guard walkBucket(&cursor, &left, wanted, now: now, visit) else { return }
                // Empty buckets cost time too: a walk over few items in a large index stays a bounded step.
                left -= 1
                cursor.bucket += 1
                cursor.slot = 0
                buckets -= 1
            }
            if cursor.bucket >= Int(core.pointee.geometry(cursor.stripe).buckets) {
                cursor.stripe += 1
                cursor.bucket = 0
            }
        }
        cursor.isDone = cursor.stripe == Stripe.count
    }

    /// Shows the rest of one bucket's chain; false if the visitor stopped.
    private func walkBucket(
        _ cursor: inout StoreCursor, _ left: inout Int, _ wanted: InlineArray<256, Bool>?, now: Moment,
        _ visit: (borrowing ItemView) -> Bool
    ) -> Bool {
        let stripe = core.pointee.stripe(cursor.stripe)
        var bucket = core.pointee.bucket(stripe: cursor.stripe, cursor.bucket)
        var number = 0
        while true {
            for i in 0..<Bucket.slots {
                let handle = bucket.handle(i)
                defer { number += 1 }
                guard number >= cursor.slot, handle != 0 else { continue }
                let id = core.pointee.arena.slabClass(of: handle)
                if let wanted, !wanted[Int(id)] {
                    left -= 1
                    continue
                }
                let item = core.pointee.arena.item(handle)
                if core.pointee.death(of: item, stripe, now: now) != nil { continue }
                let view = ItemView(
                    core: core, item: item, shape: item.shape, stripe: cursor.stripe, slabClass: id)
                guard visit(view) else {
                    cursor.slot = number
                    return false
                }
                left -= 1
            }
            if bucket.overflow == 0 { return true }
            bucket = Bucket(core.pointee.arena.pointer(bucket.overflow))
        }
    }
}
