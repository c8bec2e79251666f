// The lock of a stripe, a slab class and the arena: one word, taken by one atomic instruction and released by
// a plain store.
import CIntrinsics
import Glibc
import Synchronization

/// A mutual exclusion lock on a word that somebody else allocates. Not recursive, not fair.
///
/// Nothing is done under it that takes longer than some microseconds, so who finds it held spins for about
/// that long, then naps. The holder never wakes anyone: that would cost every release an atomic exchange, 7
/// of the 100 ns of a get, for the sake of the rare waiter whose holder was put off its processor.
struct NapLock {
    let word: UnsafeMutablePointer<Atomic<UInt32>>

    @inline(__always)
    init(_ memory: UnsafeMutableRawPointer) {
        word = memory.assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    @inline(__always)
    func lock() {
        if !tryLock() { wait() }
    }

    @inline(__always)
    func tryLock() -> Bool {
        word.pointee.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
    }

    /// The same by a plain store, for who knows that no other thread wants it (see `Bias`): false if the
    /// caller has it already.
    @inline(__always)
    func tryLockAlone() -> Bool {
        guard word.pointee.load(ordering: .relaxed) == 0 else { return false }
        word.pointee.store(1, ordering: .relaxed)
        return true
    }

    @inline(__always)
    func unlock() { word.pointee.store(0, ordering: .releasing) }

    @inline(never)
    private func wait() {
        var spins = 0
        while true {
            if word.pointee.load(ordering: .relaxed) == 0, tryLock() { return }
            spins += 1
            if spins < 200 { ci_pause() } else { usleep(20) }
        }
    }
}
