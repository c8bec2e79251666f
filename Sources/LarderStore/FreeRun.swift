// Where a socket may read a long value into, passed through the protocol without its touching a pointer.

/// A run of an unfinished value's memory. Valid until the reservation is told or asked anything else.
@safe
public struct FreeRun {
    public let bytes: UnsafeMutableRawBufferPointer
}

extension Reservation {
    /// The next free run of the value's memory; nil if there is none now.
    public mutating func freeRun() -> FreeRun? { nextFreeRun().map(FreeRun.init) }
}
