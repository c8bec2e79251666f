// Where a socket may read the next bytes of a long value to.
import Glibc

/// Runs of arena memory that belong to a reservation. The session hands them on unseen; who reads a socket
/// into them tells the session how many bytes came (`markReceived`) before it does anything else with it.
@safe
public struct FreeRuns {
    public static let max = 8

    private var starts = InlineArray<8, UnsafeMutableRawPointer?>(repeating: nil)
    private var lengths = InlineArray<8, Int>(repeating: 0)
    public private(set) var count = 0
    /// Bytes of all runs.
    public private(set) var bytes = 0

    init() {}

    mutating func add(_ start: UnsafeMutableRawPointer, _ length: Int) {
        starts[count] = start
        lengths[count] = length
        count += 1
        bytes += length
    }

    /// Describes the runs; `vectors` has room for `FreeRuns.max`. Returns how many there are.
    @unsafe
    public func fill(_ vectors: UnsafeMutablePointer<iovec>) -> Int {
        for i in 0..<count { vectors[i] = iovec(iov_base: starts[i], iov_len: lengths[i]) }
        return count
    }
}
