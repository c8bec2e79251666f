// How another thread wakes an event loop: an eventfd that the loop watches.
import CSystem
import Glibc

/// A descriptor that becomes readable when rung and stays so until answered.
struct WakeUp: Sendable {
    let descriptor: Int32

    init?() {
        descriptor = csys_eventfd()
        if descriptor < 0 { return nil }
    }

    /// From any thread, also from a signal handler.
    func ring() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    func answer() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    func close() { _ = Glibc.close(descriptor) }
}
