// What the server counts that belongs to no single worker. Touched per connection, never per request.
import Glibc
import Synchronization

final class Tally: Sendable {
    /// Client connections open now, watchers included.
    let current = Atomic<Int>(0)
    let total = Atomic<UInt64>(0)
    let rejected = Atomic<UInt64>(0)
    let idleKicks = Atomic<UInt64>(0)
    let isAccepting = Atomic<Bool>(true)
    /// No descriptor of ours is greater.
    let highestDescriptor = Atomic<Int32>(0)
    let pauses = Atomic<UInt64>(0)
    let pausedMicroseconds = Atomic<UInt64>(0)

    /// `stats reset`: what is a statistic starts again, what is a state stays.
    func reset() {
        total.store(0, ordering: .relaxed)
        rejected.store(0, ordering: .relaxed)
        idleKicks.store(0, ordering: .relaxed)
        pauses.store(0, ordering: .relaxed)
        pausedMicroseconds.store(0, ordering: .relaxed)
    }
}

/// Microseconds of the monotonic clock.
func monotonicMicroseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
}
