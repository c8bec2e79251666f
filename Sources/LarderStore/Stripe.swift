// A stripe: one of 1024 shares of the key space, with its lock and what the lock guards. 64 bytes, one cache line.
//
//   0  lock            NapLock
//   8  geometry        buckets | mask << 32; written under the lock, read without it by prefetches
//   16 StripeState     guarded by the lock
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
    private var geometryWord: UnsafeMutablePointer<Atomic<UInt64>> {
        @inline(__always) get { (p + 8).assumingMemoryBound(to: Atomic<UInt64>.self) }
    }

    /// The number of buckets, and the mask of the doubling that is under way.
    var geometry: (buckets: UInt32, mask: UInt32) {
        @inline(__always) get {
            let word = geometryWord.pointee.load(ordering: .relaxed)
            return (UInt32(truncatingIfNeeded: word), UInt32(truncatingIfNeeded: word >> 32))
        }
        @inline(__always) nonmutating set {
            geometryWord.pointee.store(UInt64(newValue.buckets) | UInt64(newValue.mask) << 32, ordering: .relaxed)
        }
    }

    /// The bucket of a hash (Litwin's linear hashing).
    @inline(__always)
    func bucketIndex(_ hash: UInt64) -> Int {
        let (buckets, mask) = geometry
        let x = UInt32(truncatingIfNeeded: hash >> UInt64(Self.bits))
        var b = x & mask
        if b >= buckets { b &= mask >> 1 }
        return Int(b)
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
