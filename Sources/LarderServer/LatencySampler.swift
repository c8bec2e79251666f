// How long commands take, measured on a sample: a worker times what one wake-up of a connection brought, from
// the read of the requests until their replies are ready. All replies of a wake-up leave together, so that
// this is what the client waits for each of them, the network aside.
import Glibc
import LarderProtocol
import Synchronization

/// Counts of one worker's samples: written by its thread only, read by anybody.
struct LatencyHistogram: @unchecked Sendable { // the words are atomics
    /// The counts, then the sum of all durations.
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private static let wordCount = LatencyFigures.bucketCount + 1

    init() {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.wordCount * 8, alignment: 64)
        memory.initializeMemory(as: UInt64.self, repeating: 0, count: Self.wordCount)
        words = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    func free() { words.deallocate() }

    func add(nanoseconds: UInt64) {
        bump(LatencyFigures.bucket(of: nanoseconds), 1)
        bump(Self.wordCount - 1, nanoseconds)
    }

    private func bump(_ index: Int, _ n: UInt64) {
        let word = words + index
        word.pointee.store(word.pointee.load(ordering: .relaxed) &+ n, ordering: .relaxed)
    }

    func add(to figures: inout LatencyFigures) {
        for index in 0..<LatencyFigures.bucketCount {
            figures.counts[index] &+= words[index].load(ordering: .relaxed)
        }
        figures.nanoseconds &+= words[Self.wordCount - 1].load(ordering: .relaxed)
    }

    /// `stats reset`. A sample taken at this moment may survive.
    func reset() {
        for index in 0..<Self.wordCount { words[index].store(0, ordering: .relaxed) }
    }
}

/// Decides which wake-ups of a worker are timed: all while they are rare, and under load so few that about
/// 250 samples a second come together. A wake-up that is not timed costs a count and a branch.
struct LatencySampler {
    private static let strideMax: UInt64 = 1024
    /// Nanoseconds from one sample to the next that are aimed at.
    private static let spacing: UInt64 = 4_000_000

    let histogram: LatencyHistogram
    private var left: UInt64 = 1
    private var stride: UInt64 = 1
    private var last: UInt64 = 0

    init(_ histogram: LatencyHistogram) { self.histogram = histogram }

    @inline(__always)
    mutating func isDue() -> Bool {
        left &-= 1
        return left == 0
    }

    /// After `isDue` has said so.
    @inline(never)
    mutating func record(from began: UInt64) {
        let now = monotonicNanoseconds()
        histogram.add(nanoseconds: now > began ? now - began : 0)
        let perTurn = (now > last ? now - last : 0) / stride
        stride = perTurn >= Self.spacing ? 1 : min(Self.strideMax, Self.spacing / max(1, perTurn))
        left = stride
        last = now
    }
}

/// Nanoseconds of the monotonic clock.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
