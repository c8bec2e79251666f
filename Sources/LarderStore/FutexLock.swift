// The lock of a stripe, a slab class and the arena: one word, uncontended two atomic instructions and no call.
import CIntrinsics
import Synchronization

/// A mutual exclusion lock on a word that somebody else allocates. Not recursive. Not fair, but nothing is done under
/// it that takes longer than a few microseconds.
///
/// The word is 0 free, 1 held, 2 held with sleepers (Drepper, "Futexes are tricky").
struct FutexLock {
    let word: UnsafeMutablePointer<Atomic<UInt32>>

    @inline(__always)
    init(_ memory: UnsafeMutableRawPointer) {
        word = memory.assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    @inline(__always)
    func lock() {
        if !word.pointee.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { wait() }
    }

    @inline(__always)
    func tryLock() -> Bool {
        word.pointee.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
    }

    @inline(__always)
    func unlock() {
        if word.pointee.exchange(0, ordering: .releasing) == 2 { wake() }
    }

    @inline(never)
    private func wait() {
        for _ in 0..<64 {
            ci_pause()
            if word.pointee.load(ordering: .relaxed) == 0, tryLock() { return }
        }
        while word.pointee.exchange(2, ordering: .acquiring) != 0 {
            ci_futex_wait(UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self), 2)
        }
    }

    @inline(never)
    private func wake() {
        ci_futex_wake(UnsafeMutableRawPointer(word).assumingMemoryBound(to: UInt32.self), 1)
    }
}
