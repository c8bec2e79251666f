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

/// What of the process is in RAM. The file is opened once: later the process may be forbidden to open any.
struct ResidentMemory: Sendable {
    private let descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)

    /// nil where the system doesn't tell.
    var bytes: UInt64? {
        var text = [UInt8](repeating: 0, count: 128)
        let count = pread(descriptor, &text, text.count, 0)
        guard count > 0 else { return nil }
        let words = text[..<count].split(separator: 0x20)
        guard words.count > 1, let pages = UInt64(String(decoding: words[1], as: UTF8.self)) else {
            return nil
        }
        return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }

    func close() { if descriptor >= 0 { _ = Glibc.close(descriptor) } }
}

/// Microseconds of the monotonic clock.
func monotonicMicroseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
}
