// How long commands take, as counts by duration: the bounds of the counts, and percentiles out of them.

/// Samples by duration, added up or as the difference of two moments.
public struct LatencyFigures: Sendable, Equatable {
    /// The shortest bound is 256 ns; from there two bounds for each doubling (1 and 1.5 times), up to a
    /// second.
    public static let shortest: UInt64 = 256
    /// Greatest duration, in nanoseconds, that each count but the last one stands for.
    public static let bounds: [UInt64] = (0..<45).map { index in
        let octave = shortest << UInt64(index / 2)
        return index % 2 == 0 ? octave : octave + octave / 2
    }
    /// One more than there are bounds: the last one has everything longer.
    public static let bucketCount = 46

    public var counts = [UInt64](repeating: 0, count: LatencyFigures.bucketCount)
    public var nanoseconds: UInt64 = 0
    public init() {}

    public var samples: UInt64 { counts.reduce(0, &+) }

    /// Where a duration is counted.
    @inline(__always)
    public static func bucket(of nanoseconds: UInt64) -> Int {
        guard nanoseconds > shortest else { return 0 }
        let below = nanoseconds - 1
        let octave = 63 - below.leadingZeroBitCount
        let half = Int(truncatingIfNeeded: below >> UInt64(octave - 1)) & 1
        return min((octave - 8) * 2 + half + 1, bucketCount - 1)
    }

    /// What came since `earlier`; after `stats reset` everything came since.
    public func since(_ earlier: LatencyFigures) -> LatencyFigures {
        guard earlier.samples <= samples else { return self }
        var difference = self
        for (index, count) in earlier.counts.enumerated() {
            difference.counts[index] = counts[index] >= count ? counts[index] - count : 0
        }
        difference.nanoseconds = nanoseconds >= earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
        return difference
    }

    /// The duration, in nanoseconds, that this share (0...1) of the samples stays below; within a count the
    /// samples are taken to be spread evenly. nil without samples.
    public func quantile(_ share: Double) -> UInt64? {
        let all = samples
        guard all > 0 else { return nil }
        let rank = share * Double(all)
        var below = 0.0
        for (index, count) in counts.enumerated() where count > 0 {
            if below + Double(count) >= rank {
                guard index < Self.bounds.count else { return Self.bounds[Self.bounds.count - 1] }
                let low = index == 0 ? 0 : Double(Self.bounds[index - 1])
                let part = max(0, min(1, (rank - below) / Double(count)))
                return UInt64(low + (Double(Self.bounds[index]) - low) * part)
            }
            below += Double(count)
        }
        return Self.bounds[Self.bounds.count - 1]
    }
}
