// A stripe: one of 1024 shares of the key space, with its lock and what the lock guards. 64 bytes, one cache
// line.
//
//   0  lock            NapLock
//   16 StripeState     guarded by the lock
//
// How many buckets a stripe has stands apart, in an array of 8 KiB that stays in the first-level cache: each
// request reads it once without the lock, to prefetch.
import Synchronization

struct StripeState {
    /// Linked items, dead ones that nobody met yet included.
    var items: UInt32 = 0
    /// Number of the last write in this stripe.
    var sequence: UInt32 = 0
    /// Items whose sequence is not newer than this are gone, if `hasFlush`.
    var flushedThrough: UInt32 = 0
    var hasFlush = false
    /// Bytes of the linked items.
    var bytes: UInt64 = 0
    var overflowBuckets: UInt32 = 0
    var ghostHits: UInt32 = 0
    /// The index page the stripe has asked for last.
    var asksForPage: UInt32 = 0
}

struct Stripe {
    static let count = 1024
    static let bits = 10
    static let bytes = 64

    let p: UnsafeMutableRawPointer
    @inline(__always) init(_ p: UnsafeMutableRawPointer) { self.p = p }

    var lock: NapLock { @inline(__always) get { NapLock(p) } }
    var state: UnsafeMutablePointer<StripeState> {
        @inline(__always) get { (p + 16).assumingMemoryBound(to: StripeState.self) }
    }
    /// Whether a `flush_all` has swept this sequence number away. Numbers wrap; the distance decides.
    @inline(__always)
    func isFlushed(_ sequence: UInt32) -> Bool {
        state.pointee.hasFlush && Int32(bitPattern: sequence &- state.pointee.flushedThrough) <= 0
    }

    @inline(__always)
    func nextSequence() -> UInt32 {
        state.pointee.sequence &+= 1
        return state.pointee.sequence
    }
}

/// How many buckets a stripe has, and the mask of the doubling that is under way (Litwin's linear hashing),
/// which follows from their number.
struct Geometry {
    let buckets: UInt32
    let mask: UInt32

    @inline(__always) init(buckets: UInt32, mask: UInt32) {
        self.buckets = buckets
        self.mask = mask
    }
    @inline(__always) init(word: UInt64) {
        buckets = UInt32(truncatingIfNeeded: word)
        mask = UInt32(truncatingIfNeeded: word >> 32)
    }
    var word: UInt64 { @inline(__always) get { UInt64(buckets) | UInt64(mask) << 32 } }

    /// The bucket of a hash.
    @inline(__always)
    func bucketIndex(_ hash: UInt64) -> Int {
        let x = UInt32(truncatingIfNeeded: hash >> UInt64(Stripe.bits))
        var b = x & mask
        if b >= buckets { b &= mask >> 1 }
        return Int(b)
    }
}
