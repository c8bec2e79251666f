// Biased locking (after Kawachiya et al., OOPSLA 2002). A store with one client (`-t 1`) has one thread that
// takes a lock for every request, and others that come ten times a second. The atomic instruction of each
// lock, which holds up all that the processor has in flight (a fifth of a get, in larder-bench), would be
// paid for visitors that are nearly never there. So the client says once a round of requests that it is
// inside, and takes the locks of stripes and classes by plain stores until it has left; whoever else comes
// says so first and waits until it is outside.
//
//   client:  INSIDE = 1, then look at WELCOME: if it is set, the store is the client's until INSIDE = 0
//   visitor: WELCOME = 0, a memory barrier in all threads, then wait for INSIDE = 0
//
// The barrier (membarrier(2)) is what lets the client do without one: after it either the client has seen
// WELCOME = 0, or the visitor sees INSIDE = 1. While visitors are there the client locks as everybody else.
// INSIDE may be 1 for a moment beside a visitor, of a client that will find it isn't welcome: so what says
// that plain stores will do is a third word, ALONE, set when the client knows.
import CIntrinsics
import Glibc
import Synchronization

struct Bias {
    /// On one cache line, which visitors seldom write.
    private let welcome: UnsafeMutablePointer<Atomic<UInt32>>
    private let inside: UnsafeMutablePointer<Atomic<UInt32>>
    private let alone: UnsafeMutablePointer<Atomic<UInt32>>
    /// On another: guards `visitors`. It may be held over a system call, for only visitors wait for it.
    private let door: NapLock
    private let visitors: UnsafeMutablePointer<Int>
    /// The client's thread, to be asserted.
    private let thread: UnsafeMutablePointer<pthread_t>

    /// The counters of the only client, by which it is known; nil if there are several.
    private let client: UnsafeMutablePointer<Atomic<UInt64>>?

    /// Where the kernel has no such barrier nothing is biased, nor with more than one client. Nil without
    /// memory.
    init?(clients: ArraySlice<CounterBlock>) {
        client = clients.count == 1 ? clients[0].base : nil
        guard let lines = Core.lines(128) else { return nil }
        welcome = lines.assumingMemoryBound(to: Atomic<UInt32>.self)
        inside = (lines + 4).assumingMemoryBound(to: Atomic<UInt32>.self)
        alone = (lines + 8).assumingMemoryBound(to: Atomic<UInt32>.self)
        door = NapLock(lines + 64)
        visitors = (lines + 72).assumingMemoryBound(to: Int.self)
        thread = (lines + 80).assumingMemoryBound(to: pthread_t.self)
        if client != nil, ci_barrier_in_all_threads() {
            welcome.pointee.store(1, ordering: .releasing)
        } else {
            // As if one visitor never left.
            visitors.pointee = 1
        }
    }

    /// Whether the client is inside and knows it: then the caller is the client, and plain stores will do.
    var isAlone: Bool { @inline(__always) get { alone.pointee.load(ordering: .relaxed) != 0 } }

    /// The client goes inside, if nobody else is there: then it must `leave`, and wait for no other thread
    /// before that.
    @inline(__always)
    func enter(_ counters: CounterBlock) -> Bool {
        guard counters.base == client, welcome.pointee.load(ordering: .relaxed) != 0 else { return false }
        inside.pointee.store(1, ordering: .relaxed)
        ci_compiler_barrier()
        guard welcome.pointee.load(ordering: .acquiring) != 0 else {
            inside.pointee.store(0, ordering: .releasing)
            return false
        }
        alone.pointee.store(1, ordering: .relaxed)
        assert({
            thread.pointee = pthread_self()
            return true
        }())
        return true
    }

    @inline(__always)
    func leave() {
        alone.pointee.store(0, ordering: .relaxed)
        inside.pointee.store(0, ordering: .releasing)
    }

    /// Takes the lock of a stripe or a class: when alone without an atomic instruction. The word is set all
    /// the same, for a sweep passes over a stripe that is locked, be it by who sweeps.
    @inline(__always)
    func lock(_ lock: NapLock) {
        if !tryLock(lock) { lock.lock() }
    }

    @inline(__always)
    func tryLock(_ lock: NapLock) -> Bool {
        guard isAlone else { return lock.tryLock() }
        assert(thread.pointee == pthread_self(), "a visitor that did not say so")
        return lock.tryLockAlone()
    }

    /// The caller is a visitor from here on, who may lock what the client locks, until `endVisit`. Not to be
    /// called under a lock, nor by a client that is inside.
    func beginVisit() {
        door.lock()
        visitors.pointee += 1
        if visitors.pointee == 1 {
            welcome.pointee.store(0, ordering: .releasing)
            if !ci_barrier_in_all_threads() {
                // Had once, and now refused (by a filter of system calls, say): nobody is welcome any more.
                visitors.pointee += 1
                usleep(10_000)
            }
            while inside.pointee.load(ordering: .acquiring) != 0 { usleep(20) }
        }
        door.unlock()
    }

    func endVisit() {
        door.lock()
        visitors.pointee -= 1
        if visitors.pointee == 0 { welcome.pointee.store(1, ordering: .releasing) }
        door.unlock()
    }
}
