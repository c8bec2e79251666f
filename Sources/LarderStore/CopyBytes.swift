// Copies of keys and values, which are short: by a few wide pieces that may overlap, without a loop or a
// call.

extension UnsafeMutableRawPointer {
    /// Copies `n` bytes that don't overlap these.
    @inline(__always)
    func copyShort(_ source: UnsafeRawPointer, _ n: Int) {
        if n < 16 {
            copyFew(source, n)
        } else if n <= 32 {
            copyEnds(source, n, SIMD2<UInt64>.self)
        } else if n <= 64 {
            copyEnds(source, n, SIMD4<UInt64>.self)
        } else if n <= 128 {
            copyEnds(source, n, SIMD8<UInt64>.self)
        } else {
            copyMemory(from: source, byteCount: n)
        }
    }

    /// The first bytes and the last, as many as `Piece` has; it covers at least half of the `n`.
    @inline(__always)
    private func copyEnds<Piece: BitwiseCopyable>(_ source: UnsafeRawPointer, _ n: Int, _: Piece.Type) {
        let end = n &- MemoryLayout<Piece>.size
        let first = source.loadUnaligned(as: Piece.self)
        let last = source.loadUnaligned(fromByteOffset: end, as: Piece.self)
        storeBytes(of: first, as: Piece.self)
        storeBytes(of: last, toByteOffset: end, as: Piece.self)
    }

    @inline(__always)
    private func copyFew(_ source: UnsafeRawPointer, _ n: Int) {
        if n >= 8 {
            copyEnds(source, n, UInt64.self)
        } else if n >= 4 {
            copyEnds(source, n, UInt32.self)
        } else {
            for i in 0..<n {
                let byte = source.load(fromByteOffset: i, as: UInt8.self)
                storeBytes(of: byte, toByteOffset: i, as: UInt8.self)
            }
        }
    }
}
