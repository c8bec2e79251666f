// A bounds-checked array of fixed size whose elements are read and written in place. `InlineArray` would
// serve, but its getter copies the whole array (2 KiB for a batch of operations) to read one element of it.

/// Memory is taken once and never moves. Elements are trivial.
@safe
public struct FixedArray<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline let base: UnsafeMutablePointer<Element>
    public let count: Int

    public init(repeating element: Element, count: Int) {
        base = .allocate(capacity: count)
        base.initialize(repeating: element, count: count)
        self.count = count
    }

    deinit { base.deallocate() }

    @inlinable
    public subscript(_ i: Int) -> Element {
        @inline(__always) get {
            precondition(i >= 0 && i < count)
            return base[i]
        }
        @inline(__always) nonmutating _modify {
            precondition(i >= 0 && i < count)
            yield &base[i]
        }
    }
}
